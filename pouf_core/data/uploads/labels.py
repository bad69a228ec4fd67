"""Evaluation labels: from directories or from a `labels.csv`. They are no part of an item's identity."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pouf_core.data.item_names import parse_name
from pouf_core.data.label_tables import read_labels

Parts = tuple[str, ...]


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
    """Parse a `labels.csv`; raises `InvalidInput` as `read_labels`, also above `max_rows`."""
    rows = [(parse_name(file).parts, label) for file, label in read_labels(data, max_rows)]
    return LabelTable(source, parts[:-1], [(file, label) for file, label in rows if file])


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
        for name, label in table.rows:
            file = _composed(name)
            sha256 = (
                here.get((table.source, _composed(table.directory) + file))
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
        parts = _composed(occurrence.parts)
        here[occurrence.source, parts] = occurrence.sha256
        for start in range(len(parts)):
            anywhere[parts[start:]].add(occurrence.sha256)
    return here, anywhere


def _composed(parts: Parts) -> Parts:
    """Names in one Unicode form: macOS writes accents apart from their letters, most tables do not."""
    return tuple(unicodedata.normalize("NFC", part) for part in parts)


def _only(candidates: set[str]) -> str | None:
    return next(iter(candidates)) if len(candidates) == 1 else None
