"""Notes how each file of texts was read."""

from __future__ import annotations

from pouf_core.contract.file_reading import SHOWN_ROWS, FileReading, ReadRow, shown_text
from pouf_core.contract.findings import Finding, finding, listed
from pouf_core.data.losses import shown_encoding
from pouf_core.data.text_files import Reading
from pouf_core.data.text_rows import BadRow, Row

MOST_FILES = 100
"""Files beyond are not told of: an archive may hold thousands, a text each."""
_SURE = 0.6
"""Share that the encoding of a file has against the next likeliest; with less it may well be the other."""


class TextReadings:
    """How the files of a dataset were read."""

    def __init__(self) -> None:
        self.files: list[FileReading] = []
        self._present: FileReading | None = None

    def begin(self, file: str, reading: Reading) -> None:
        """A file is about to be read."""
        found = FileReading(file=file, sheet=reading.sheet, skipped_lines=reading.skipped)
        if reading.encoding is not None:
            found.encoding, found.encoding_confidence = reading.encoding.name, reading.encoding.confidence
        table = reading.table
        if table is not None:
            if table.dialect is not None:
                found.delimiter, found.quote = table.dialect.delimiter, table.dialect.quote
            found.header = None if table.names is None else [shown_text(name) for name in table.names]
            columns = table.columns
            found.text_column, found.text_pair_column, found.label_column = (
                columns.text,
                columns.text_pair,
                columns.label,
            )
        self._present = found
        if len(self.files) < MOST_FILES:
            self.files.append(found)

    def note(self, row: Row) -> None:
        """A row of the present file was read."""
        found = self._present
        if found is None:
            return
        found.rows += 1
        if isinstance(row, BadRow):
            found.rejected_rows += 1
        elif len(found.first_rows) < SHOWN_ROWS:
            pair = None if row.text_pair is None else shown_text(row.text_pair)
            found.first_rows.append(ReadRow(text=shown_text(row.text), text_pair=pair, label=row.label))

    def warnings(self) -> list[Finding]:
        """Which files may have another encoding than they were read in."""
        unsure = [one for one in self.files if one.encoding_confidence < _SURE and not _is_utf8(one)]
        if not unsure:
            return []
        names = ", ".join(sorted({shown_encoding(one.encoding or "") for one in unsure}))
        message = (
            f"Nothing says which encoding {listed([one.file for one in unsure])} has, and its bytes fit several: "
            f"it was read as {names}. Look at its texts, and if letters are wrong, read it again with `encoding`."
        )
        return [finding("encoding_unsure", message)]


def _is_utf8(reading: FileReading) -> bool:
    """Whether a file is UTF-8, whose rows that are not are told of as lost."""
    return reading.encoding in (None, "utf-8", "utf-8-sig")
