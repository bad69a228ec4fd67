"""The labels of texts."""

from __future__ import annotations

from pouf_core.contract.labels import LabelSource, LabelsWanted
from pouf_core.data.labels.folders import Parts
from pouf_core.data.labels.labelling import Labelling, as_wanted, from_folders
from pouf_core.data.text_rows import TextRow
from pouf_core.data.texts import text_hash


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

    @property
    def are_of_files(self) -> bool:
        """Whether labels may come from the files of the texts."""
        return self._wanted in ("auto", "file")

    def note_row(self, row: TextRow, source: str, directory: Parts) -> None:
        """A row of a file was found in a directory of a source."""
        if self._wanted != "none" and (row.label is not None or directory):
            self.note(text_hash(row.item), row.label, source, directory)

    def note(self, sha256: str, label: str | None, source: str = "", directory: Parts = ()) -> None:
        """An item was found, with the label that its own file gives it, in a directory of a source."""
        if label is not None and self.are_of_files:
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
            found = from_folders(self._in_folders)
        return as_wanted(found, self._wanted)
