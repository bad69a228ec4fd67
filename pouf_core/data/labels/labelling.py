"""The labels of a dataset's items, and what to say of where they came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from pouf_core.contract.counts import counted
from pouf_core.contract.findings import Finding, finding, listed
from pouf_core.contract.labels import LabelFile, LabelSource, LabelsWanted
from pouf_core.data.item_names import ItemName
from pouf_core.data.labels.files import (
    UNCLEAR,
    LabelTable,
    ReadPairs,
    Unclear,
    label_pairs,
    listed_labels,
    may_hold_labels,
    of_yolo,
    read_label_file,
)
from pouf_core.data.labels.folders import Parts, are_albums, folder_labels
from pouf_core.data.labels.lists import CLASS_SUFFIX, ClassFiles, ImageSets, may_be_a_list, rows_of_list
from pouf_core.data.labels.picture_names import Occurrence, PictureNames, labels_of_tables
from pouf_core.data.labels.tables import NO_SUCH_COLUMN
from pouf_core.data.labels.yolo import YoloLabels, holds_names, may_be_of_yolo, suffix_of_names
from pouf_core.errors import InvalidInput

CONFLICTING_LABELS = "conflicting_labels"  # of an item with several, and of a dataset with more than a few such items
_MOST_FILES = 20  # that are told of
_TOLERATED = 0.01  # of a file's rows that name no picture, or of items whose labels contradict, before it is warned of


@dataclass(frozen=True)
class Labelling:
    """What was found.

    Attributes:
        labels: the labels of each labelled content hash, as they were written; more than one contradict each other.
        source: where they came from.
        warnings: what to know of them.
        beyond: labels of what was not read, of a sample.
        suggested: class names that they may be.
    """

    labels: Mapping[str, Set[str]] = field(default_factory=dict)
    source: LabelSource = field(default_factory=lambda: LabelSource(kind="none"))
    warnings: list[Finding] = field(default_factory=list)
    beyond: Set[str] = frozenset()

    @property
    def suggested(self) -> list[str]:
        """The labels in order; none where they are folders named like albums."""
        names = sorted(set(self.beyond).union(*set(map(frozenset, self.labels.values()))))
        return [] if self.source.kind == "folders" and are_albums(names) else names

    @property
    def single(self) -> dict[str, str]:
        """The label of each content hash that has exactly one."""
        return {sha256: min(names) for sha256, names in self.labels.items() if len(names) == 1}


class PictureLabels:
    """Gathers what may label pictures while they are read, from one or several sources.

    Args:
        wanted: where labels may come from.
        most_rows: that all files of labels together may have.
        read: what reads them, if not `label_pairs`.
        label_column: of tables that hold the pictures.
    """

    def __init__(
        self, wanted: LabelsWanted, most_rows: int, read: ReadPairs | None = None, label_column: str | None = None
    ) -> None:
        self.label_column = label_column
        self._wanted = wanted
        self._read = read
        self._rows_left = most_rows
        self._occurrences: list[Occurrence] = []
        self._tables: list[LabelTable] = []
        self._yolo = YoloLabels()
        self._sets = ImageSets()
        self._classes = ClassFiles()
        self._unclear: list[Unclear] = []

    def note_picture(self, source: str, parts: Parts, sha256: str, label: str | None = None) -> None:
        """A usable picture was found at a path of a source, with its label where it stands in a table."""
        self._occurrences.append(Occurrence(source, parts, sha256, label))

    def note_unclear(self, source: str, name: ItemName, error: InvalidInput) -> None:
        """A table of pictures does not tell which of its columns labels them."""
        if self._wanted not in ("none", "folders"):
            self._unclear.append(Unclear(source, name, error))

    def places(self) -> Iterator[Parts]:
        """The path of each picture."""
        return (one.parts for one in self._occurrences if one.parts)

    def read(self) -> Iterator[tuple[str, Parts]]:
        """Source and path of each picture."""
        return ((one.source, one.parts) for one in self._occurrences)

    def takes(self, source: str, name: ItemName, data: bytes) -> bool:
        """Whether a file is one of labels, which is kept then.

        Raises:
            InvalidInput: `labels_unreadable`.
        """
        if not may_hold_labels(name):
            return False
        if name.file_name.lower().endswith(CLASS_SUFFIX):
            return self._takes_class(source, name, data)
        if may_be_a_list(name) and self._rows_left > 0 and self._takes_list(source, name, data):
            return True
        if may_be_of_yolo(name.file_name):
            return self._takes_names(source, name, data)
        try:
            table = read_label_file(source, name, data, self._rows_left, self._read)
        except InvalidInput as error:
            if self._wanted in ("none", "folders"):
                return True
            if error.code not in UNCLEAR:
                raise
            self._unclear.append(Unclear(source, name, error))
            return True
        if table is None:
            return False
        self._rows_left -= len(table.rows)
        last = self._tables[-1] if self._tables else None
        if last is not None and table.continues(last):
            last.rows.extend(table.rows)
        else:
            self._tables.append(table)
        return True

    def _named(self, table: LabelTable) -> LabelTable:
        """A table with the names of classes in place of their numbers, where it is a list and all are told."""
        names = self._yolo.names_for(table.source, table.directory) if table.format == "list" else {}
        if not all(label in names for _, label in table.rows):
            return table
        return replace(table, rows=[(file, names[label]) for file, label in table.rows])

    def _takes_list(self, source: str, name: ItemName, data: bytes) -> bool:
        shown = self._sets.note(source, name, data)
        if shown is not None:
            self._rows_left = max(0, self._rows_left - shown)
            return True
        rows = rows_of_list(data)
        if rows:
            self._tables.append(listed_labels(source, name, rows[: self._rows_left], name.parts[:-1]))
            self._rows_left = max(0, self._rows_left - len(rows))
        return bool(rows)

    def _takes_class(self, source: str, name: ItemName, data: bytes) -> bool:
        is_one = self._rows_left > 0 and self._classes.note(source, name, data)
        self._rows_left -= is_one
        return is_one

    def _takes_names(self, source: str, name: ItemName, data: bytes) -> bool:
        """Whether a file is one of the names of classes; one of what is drawn in a picture is kept."""
        if not holds_names(name.file_name):
            if self._rows_left > 0 and self._yolo.note_picture(source, name, data):
                self._rows_left -= 1
            return False
        try:
            found = (self._read or label_pairs)(suffix_of_names(name.file_name), data, self._rows_left, False)
        except InvalidInput:
            return False
        if found is not None:
            self._yolo.note_names(source, name, found[1])
        return found is not None

    def unclear(self) -> list[Unclear]:
        """The files of which the caller is to say which column labels the pictures.

        None where another file has the column that was asked for, or where nothing was asked for and the labels are
        told by others or by folders: `exif.csv` beside folders that are classes says nothing of these.
        """
        if not self._unclear:
            return []
        is_asked = any(one.error.code == NO_SUCH_COLUMN for one in self._unclear)
        settled = any(table.is_of_columns for table in self._tables) if is_asked else self.found().suggested
        return [] if settled else self._unclear

    def found(self, *, is_sample: bool = False) -> Labelling:
        """The labels of the pictures: from files where any names one, else from folders, as far as wanted.

        Args:
            is_sample: whether there may be more pictures, which files of labels name.
        """
        names = PictureNames(self._occurrences)
        found = Labelling()
        sets = [listed_labels(*one) for one in self._sets.tables()]
        lists = [*self._tables, *(listed_labels(*one) for one in self._classes.tables())]
        tables = [*map(self._named, lists), *map(of_yolo, self._yolo.tables()), *sets]
        if self._wanted in ("auto", "file"):
            found = self._from_files([table for table in tables if not table.is_guess], names, is_sample)
            found = self._of_tables(found.warnings) if found.source.kind == "none" else found
        if found.source.kind == "none" and self._wanted in ("auto", "folders"):
            found = from_folders(
                {(one.source, one.parts[:-1], one.sha256) for one in self._occurrences}, found.warnings
            )
        if found.source.kind == "none" and self._wanted in ("auto", "file"):
            guesses = [table for table in tables if table.is_guess]
            of_guesses = self._from_files(guesses, names, is_sample)
            found = of_guesses if of_guesses.labels else found
        return as_wanted(found, self._wanted)

    def _of_tables(self, warnings: list[Finding]) -> Labelling:
        """What the tables say that hold the pictures."""
        labels = labels_of_tables(self._occurrences)
        return Labelling(labels, LabelSource(kind="file" if labels else "none"), warnings)

    def _from_files(self, tables: Sequence[LabelTable], names: PictureNames, is_sample: bool) -> Labelling:
        warnings = list[Finding]()
        for rank in sorted({table.rank for table in tables}):
            labels: dict[str, set[str]] = defaultdict(set)
            used, beyond = [], set[str]()
            for table in (table for table in tables if table.rank == rank):
                missing = _apply(table, names, labels)
                if len(missing) > _TOLERATED * len(table.rows):
                    warnings.append(_missing(table, missing))
                file = LabelFile(file=table.name, format=table.format, rows=len(table.rows), unmatched=len(missing))
                used += [file] if len(missing) < len(table.rows) or (is_sample and missing) else []
                beyond |= {label for _, label in table.rows} if is_sample else set()
            if used:
                source = LabelSource(kind="file", files=used[:_MOST_FILES])
                return Labelling(dict(labels), source, warnings[:_MOST_FILES], beyond)
        return Labelling(warnings=warnings[:_MOST_FILES])


def from_folders(places: Iterable[tuple[str, Parts, str]], warnings: Sequence[Finding] = ()) -> Labelling:
    """Labels from the folders of items, given as source, directory and content hash; and warnings so far."""
    by_source: dict[str, dict[Parts, set[str]]] = defaultdict(lambda: defaultdict(set))
    for source, directory, sha256 in places:
        by_source[source][directory].add(sha256)
    labels: dict[str, set[str]] = defaultdict(set)
    skipped = set[str]()
    for directories in by_source.values():
        label_of, levels = folder_labels(directories)
        skipped |= levels
        for directory, label in label_of.items():
            for sha256 in directories[directory]:
                labels[sha256].add(label)
    kind: Literal["folders", "none"] = "folders" if labels else "none"
    found = Labelling(dict(labels), LabelSource(kind=kind, skipped_levels=sorted(skipped)[:_MOST_FILES]), [*warnings])
    names = sorted(set().union(*labels.values()))
    if are_albums(names):
        message = (
            f"The folders look like albums, not like classes: {listed(names)}. They are not suggested as class names. "
            "If they are no labels, choose `none` for labels."
        )
        found.warnings.append(finding("folders_look_like_albums", message))
    return found


def _apply(table: LabelTable, names: PictureNames, labels: dict[str, set[str]]) -> list[Parts]:
    """Label the pictures that a table names; returns the names that are none."""
    missing = []
    for name, label in table.rows:
        sha256 = names.find(table.source, table.directory, name)
        if sha256 is None:
            missing.append(name)
        else:
            labels[sha256].add(label)
    return missing


def _missing(table: LabelTable, missing: list[Parts]) -> Finding:
    example = "/".join(missing[0])
    count = f"{len(missing):,} of {counted(len(table.rows), 'file')}"
    message = f"Not among the pictures: {count} that {table.name} labels, {example!r} for one."
    return finding("labels_name_no_file", message)


def as_wanted(found: Labelling, wanted: LabelsWanted) -> Labelling:
    """What was found, with a warning where labels contradict each other, or were to come from elsewhere."""
    found = replace(found, warnings=[*found.warnings, *_contradictions(found)])
    if found.source.kind != "none" or wanted in ("auto", "none"):
        return found
    where = "files, and none gives any" if wanted == "file" else "folders, and none divide the items into classes"
    message = f"Labels were to come from {where}; the dataset has no labels."
    return Labelling(found.labels, found.source, [*found.warnings, finding("labels_not_found", message)])


def _contradictions(found: Labelling) -> list[Finding]:
    contradicting = [names for names in found.labels.values() if len(names) > 1]
    if len(contradicting) <= _TOLERATED * len(found.labels):
        return []
    of_all = f"{len(contradicting):,} of {counted(len(found.labels), 'labelled item')}"
    one = listed(sorted(contradicting[0]))
    message = f"Of {of_all} the labels contradict each other, and are not used: one is labelled {one}."
    return [finding(CONFLICTING_LABELS, message)]
