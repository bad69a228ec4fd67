"""The labels of a dataset's items, and what to say of where they came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from pouf_core.contract.counts import counted
from pouf_core.contract.findings import Finding, finding, listed
from pouf_core.contract.labels import LabelFile, LabelSource, LabelsWanted
from pouf_core.data.item_names import ItemName
from pouf_core.data.labels.files import LabelTable, ReadPairs, label_pairs, may_hold_labels, of_yolo, read_label_file
from pouf_core.data.labels.folders import Parts, are_albums, folder_labels
from pouf_core.data.labels.picture_names import Occurrence, PictureNames
from pouf_core.data.labels.yolo import YoloLabels, holds_names, may_be_of_yolo, suffix_of_names
from pouf_core.data.text_rows import TextRow
from pouf_core.data.texts import text_hash
from pouf_core.errors import InvalidInput

_MOST_FILES = 20  # that are told of
_TOLERATED = 0.01  # of a file's rows that name no picture, before it is warned of


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
    """

    def __init__(self, wanted: LabelsWanted, most_rows: int, read: ReadPairs | None = None) -> None:
        self._wanted = wanted
        self._read = read
        self._rows_left = most_rows
        self._occurrences: list[Occurrence] = []
        self._tables: list[LabelTable] = []
        self._yolo = YoloLabels()

    def note_picture(self, source: str, parts: Parts, sha256: str) -> None:
        """A usable picture was found at a path of a source."""
        self._occurrences.append(Occurrence(source, parts, sha256))

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
        if may_be_of_yolo(name.file_name):
            return self._takes_names(source, name, data)
        try:
            table = read_label_file(source, name, data, self._rows_left, self._read)
        except InvalidInput:
            if self._wanted in ("none", "folders"):
                return True
            raise
        if table is None:
            return False
        self._rows_left -= len(table.rows)
        last = self._tables[-1] if self._tables else None
        if last is not None and table.continues(last):
            last.rows.extend(table.rows)
        else:
            self._tables.append(table)
        return True

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

    def found(self, *, is_sample: bool = False) -> Labelling:
        """The labels of the pictures: from files where any names one, else from folders, as far as wanted.

        Args:
            is_sample: whether there may be more pictures, which files of labels name.
        """
        names = PictureNames(self._occurrences)
        found = Labelling()
        tables = [*self._tables, *map(of_yolo, self._yolo.tables())]
        if self._wanted in ("auto", "file"):
            found = self._from_files([table for table in tables if not table.is_guess], names, is_sample)
        if found.source.kind == "none" and self._wanted in ("auto", "folders"):
            found = _from_folders(
                {(one.source, one.parts[:-1], one.sha256) for one in self._occurrences}, found.warnings
            )
        if found.source.kind == "none" and self._wanted in ("auto", "file"):
            guesses = [table for table in tables if table.is_guess]
            of_guesses = self._from_files(guesses, names, is_sample)
            found = of_guesses if of_guesses.labels else found
        return _as_wanted(found, self._wanted)

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


class TextLabels:
    """Gathers the labels that texts have in their own files, and the folders of these, while they are read.

    Args:
        wanted: where labels may come from.
    """

    def __init__(self, wanted: LabelsWanted) -> None:
        self._wanted = wanted
        self._labels: dict[str, frozenset[str]] = {}
        self._shared: dict[str, frozenset[str]] = {}  # a set for each label, not for each of many items
        self._in_folders: set[tuple[str, Parts, str]] = set()

    def note_row(self, row: TextRow, source: str, directory: Parts) -> None:
        """A row of a file was found in a directory of a source."""
        if self._wanted != "none" and (row.label is not None or directory):
            self.note(text_hash(row.item), row.label, source, directory)

    def note(self, sha256: str, label: str | None, source: str = "", directory: Parts = ()) -> None:
        """An item was found, with the label that its own file gives it, in a directory of a source."""
        if label is not None and self._wanted in ("auto", "file"):
            alone = self._shared.setdefault(label, frozenset((label,)))
            known = self._labels.setdefault(sha256, alone)
            if known is not alone:
                self._labels[sha256] = known | alone
        if directory and self._wanted in ("auto", "folders"):
            self._in_folders.add((source, directory, sha256))

    def found(self) -> Labelling:
        """The labels: those of the files where there are any, else folders, as far as wanted."""
        found = Labelling(self._labels, LabelSource(kind="file")) if self._labels else Labelling()
        if not found.labels:
            found = _from_folders(self._in_folders)
        return _as_wanted(found, self._wanted)


def _from_folders(places: Iterable[tuple[str, Parts, str]], warnings: Sequence[Finding] = ()) -> Labelling:
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


def _as_wanted(found: Labelling, wanted: LabelsWanted) -> Labelling:
    if found.source.kind != "none" or wanted in ("auto", "none"):
        return found
    where = "files, and none gives any" if wanted == "file" else "folders, and none divide the items into classes"
    message = f"Labels were to come from {where}; the dataset has no labels."
    return Labelling(found.labels, found.source, [*found.warnings, finding("labels_not_found", message)])
