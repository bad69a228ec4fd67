"""Notes files of lines that look like documents, a file each, whose paragraphs were taken for texts."""

from __future__ import annotations

from pouf_core.contract.findings import Finding, finding
from pouf_core.data.text_rows import BadRow, Row

_SUFFIX = ".txt"
_LEAST = 3  # files: of one or two, blank lines may part the texts
_SHARE = 0.5  # of the files with several lines


class Documents:
    """Which of the files with a text a line have several, with blank lines between."""

    def __init__(self) -> None:
        self._several = self._parted = 0
        self._example = ""
        self.begin("")

    def begin(self, file: str) -> None:
        """A file is about to be read."""
        self._file, self._texts, self._is_after_blank, self._is_parted = file, 0, False, False

    def note(self, row: Row) -> None:
        """A row of the present file was read."""
        if not self._file.lower().endswith(_SUFFIX):
            return
        if isinstance(row, BadRow):
            self._is_after_blank = row.lost == "nothing" and self._texts > 0
            return
        self._texts += 1
        self._several += self._texts == 2
        if self._is_after_blank and not self._is_parted:
            self._is_parted = True
            self._parted += 1
            self._example = self._example or self._file

    def warnings(self) -> list[Finding]:
        """What to do where they are documents."""
        if self._parted < _LEAST or self._parted < _SHARE * self._several:
            return []
        message = (
            f"{self._parted:,} files, {self._example} for one, have several paragraphs, and each was taken for a text. "
            'If each file is one document, write them as one .jsonl, with a line {"text": "…", "label": "…"} for each.'
        )
        return [finding("documents_read_by_line", message)]
