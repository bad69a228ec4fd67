"""Notes how each file of texts was read."""

from __future__ import annotations

from pouf_core.contract.file_reading import SHOWN_ROWS, FileReading, ReadRow, shown_text
from pouf_core.contract.findings import Finding
from pouf_core.data.documents import Documents
from pouf_core.data.text_files import Reading
from pouf_core.data.text_rows import BadRow, Row
from pouf_core.data.unsure_encodings import UnsureEncodings

MOST_FILES = 100
"""Files beyond are not told of: an archive may hold thousands, a text each."""


class TextReadings:
    """How the files of a dataset were read."""

    def __init__(self) -> None:
        self.files: list[FileReading] = []
        self._present: FileReading | None = None
        self._unsure = UnsureEncodings()
        self._documents = Documents()

    def begin(self, file: str, reading: Reading) -> None:
        """A file is about to be read."""
        self._unsure.note(file, reading)
        self._documents.begin(file)
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
        self._documents.note(row)
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
        """Which files may have another encoding than they were read in, or are documents."""
        return [*self._unsure.warnings(), *self._documents.warnings()]
