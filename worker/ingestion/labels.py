"""Evaluation labels: from directories or from a `labels.csv`. They are no part of an item's identity."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.ingestion.item_names import parse_name

COLUMNS = ("file", "label")

Parts = tuple[str, ...]


class LabelsError(Exception):
    """A `labels.csv` that cannot be used, with the reason as its text."""


@dataclass(frozen=True)
class Occurrence:
    """A usable picture at one path of one source (an archive, or all loose files together)."""

    source: str
    parts: Parts
    sha256: str


@dataclass(frozen=True)
class LabelTable:
    """The rows of a `labels.csv`: file names relative to `directory` of `source`, and their labels."""

    source: str
    directory: Parts
    rows: Sequence[tuple[Parts, str]]


def read_label_table(source: str, parts: Parts, data: bytes, max_rows: int) -> LabelTable:
    """Parse a `labels.csv` with the columns `file` and `label`; raises `LabelsError`, also above `max_rows`."""
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        if not set(COLUMNS) <= set(columns):
            raise LabelsError("labels.csv needs a header with the columns file and label.")
        rows: list[tuple[str, str]] = []
        for row in reader:
            if len(rows) >= max_rows:
                raise LabelsError(f"labels.csv and the tables before it may have {max_rows:,} rows.")
            rows.append(((row[columns["file"]] or ""), (row[columns["label"]] or "").strip()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"labels.csv is not a UTF-8 table of comma-separated values: {error}") from error
    named = [(parse_name(file.strip()).parts, label.replace("\0", "")) for file, label in rows]
    return LabelTable(source, parts[:-1], [(file, label) for file, label in named if file and label])


def assign_labels(occurrences: Sequence[Occurrence], tables: Sequence[LabelTable]) -> dict[str, set[str]]:
    """The labels of each labelled content hash; more than one is a contradiction.

    Once a table names any picture, tables alone count and directories are no labels.
    """
    from_tables = _from_tables(occurrences, tables)
    return from_tables or _from_directories(occurrences)


def _from_directories(occurrences: Sequence[Occurrence]) -> dict[str, set[str]]:
    by_source: dict[str, list[Occurrence]] = defaultdict(list)
    for occurrence in occurrences:
        by_source[occurrence.source].append(occurrence)
    labels: dict[str, set[str]] = defaultdict(set)
    for members in by_source.values():
        wrapping = _wrapping_directories([member.parts for member in members])
        for member in members:
            directories = member.parts[wrapping:-1]
            if directories:
                labels[member.sha256].add(directories[0])
    return dict(labels)


def _wrapping_directories(names: Sequence[Parts]) -> int:
    """How many directories all names share: a single directory around everything is no label."""
    depth = 0
    while all(len(parts) > depth + 1 for parts in names) and len({parts[depth] for parts in names}) == 1:
        depth += 1
    return depth


def _from_tables(occurrences: Sequence[Occurrence], tables: Sequence[LabelTable]) -> dict[str, set[str]]:
    if not tables:
        return {}
    here, anywhere = _by_name(occurrences)
    labels: dict[str, set[str]] = defaultdict(set)
    for table in tables:
        for file, label in table.rows:
            sha256 = (
                here.get((table.source, table.directory + file))
                or _only(anywhere.get(file, set()))
                or _only(anywhere.get(file[-1:], set()))
            )
            if sha256 is not None:
                labels[sha256].add(label)
    return dict(labels)


def _by_name(occurrences: Sequence[Occurrence]) -> tuple[Mapping[tuple[str, Parts], str], Mapping[Parts, set[str]]]:
    """Pictures by source and path, and by every suffix of their paths (`b.png`, `a/b.png`, …)."""
    here: dict[tuple[str, Parts], str] = {}
    anywhere: dict[Parts, set[str]] = defaultdict(set)
    for occurrence in occurrences:
        here[occurrence.source, occurrence.parts] = occurrence.sha256
        for start in range(len(occurrence.parts)):
            anywhere[occurrence.parts[start:]].add(occurrence.sha256)
    return here, anywhere


def _only(candidates: set[str]) -> str | None:
    return next(iter(candidates)) if len(candidates) == 1 else None
