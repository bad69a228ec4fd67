"""Files of texts, read one text at a time: lines, tables and JSON. Labels come out apart from the texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from pouf_core.contract.file_reading import TextFileOptions
from pouf_core.contract.findings import listed
from pouf_core.data.chat_lines import are_of_a_chat, rows_of_chat
from pouf_core.data.dialects import divided_by_spaces
from pouf_core.data.encodings import Encoding, detect_encoding, encoding_said
from pouf_core.data.file_kinds import SHEET_SUFFIXES, TEXT_SUFFIXES, WORKBOOK_SUFFIXES
from pouf_core.data.json_texts import is_document, rows_of_document, rows_of_json_lines
from pouf_core.data.sheets import USUAL_LIMITS, ReadingLimits, opened_sheet
from pouf_core.data.table_rows import LONGEST_LINE, MARK, Table, TableOptions, TableReader, opened_table
from pouf_core.data.text_lines import delimiter_of_lines, rows_of_lines, vectors_in
from pouf_core.data.text_rows import BadRow, Row, TextRow
from pouf_core.data.vector_advice import how_to_save
from pouf_core.errors import InvalidInput

__all__ = ["AS_TOLD", "BadRow", "Reading", "Row", "TextOptions", "TextRow", "read_texts"]

_HEAD_BYTES = 262_144
_TABLE_SUFFIXES = (".csv", ".tsv")
_OF_LINES = (*_TABLE_SUFFIXES, ".txt")


@dataclass(frozen=True)
class TextOptions(TableOptions):
    """What a caller says of files of texts; None leaves it to be told by the file.

    Attributes:
        encoding: as Python, or the web, names it.
    """

    encoding: str | None = None

    @classmethod
    def of(cls, text_column: str | None, label_column: str | None, said: TextFileOptions) -> TextOptions:
        """What a caller says of columns, and beside them."""
        return cls(text_column, label_column, said.delimiter, said.header, said.encoding)


AS_TOLD = TextOptions()
"""All is told by the file."""


@dataclass(frozen=True)
class Reading:
    """How a file was read.

    Attributes:
        encoding: of its characters; None where the format decides.
        table: of a table, its dialect and columns; None for lines and JSON.
        sheet: of a workbook, the name of the sheet.
        skipped: rows before the table.
    """

    encoding: Encoding | None
    table: Table | None = None
    sheet: str | None = None
    skipped: int = 0


def read_texts(
    source: Path | IO[bytes],
    name: str,
    options: TextOptions = AS_TOLD,
    on_reading: Callable[[Reading], None] = lambda _: None,
    limits: ReadingLimits = USUAL_LIMITS,
) -> Iterator[Row]:
    """The texts of a file in order, in constant memory (a document of JSON alone is read whole).

    Args:
        source: a path, or an open binary file that can be read again from where it is.
        name: its name, whose suffix says what it is: `.txt` (a line a text; a table where `delimiter_of_lines` says
            so, messages where `are_of_a_chat` does), `.csv` and `.tsv` (a row a text; see `dialect_of` and
            `columns_of`), `.jsonl`, `.ndjson` and `.json` (an object or a string a line, or a document, see
            `rows_of_document`), a workbook (a row of its first sheet a text) or `.parquet`. In any encoding, see
            `detect_encoding`. Where there is no `text` but `text_a` and `text_b`, an object or a row is a pair. Fields
            of objects are found as columns are; an object may be a task as Label Studio exports it.
        options: what is known of it.
        on_reading: told how it is read, before the first text.
        limits: what reading a workbook or a `.parquet` may take.

    Raises:
        InvalidInput: `unknown_text_file`, `no_text` (vectors), `unknown_encoding`, `text_column_not_found`,
            `label_column_not_found`, `table_ambiguous`, `malformed_table`, `malformed_json`,
            `item_too_large` (a whole `.json`), `parquet_not_installed`.
    """
    suffix = Path(name).suffix.lower()
    if suffix in SHEET_SUFFIXES:
        yield from _sheet_rows(source, suffix, options, on_reading, limits)
        return
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield from read_texts(stream, name, options, on_reading, limits)
        return
    if suffix not in TEXT_SUFFIXES:
        raise InvalidInput("unknown_text_file", f"{name} is none of {', '.join(TEXT_SUFFIXES)}.")
    head = source.read(_HEAD_BYTES)
    source.seek(-len(head), io.SEEK_CUR)
    encoding = encoding_said(options.encoding, head) if options.encoding else detect_encoding(head)
    # Undecodable bytes become surrogates, so that only the text that holds them is refused.
    characters = io.TextIOWrapper(source, encoding=encoding.name, errors=_errors(encoding), newline="")
    try:
        for row in _rows(characters, suffix, head, encoding, options, on_reading):
            yield _of_encoding(row, encoding) if isinstance(row, BadRow) and row.undecoded else row
    finally:
        characters.detach()


def _sheet_rows(
    source: Path | IO[bytes],
    suffix: str,
    options: TextOptions,
    on_reading: Callable[[Reading], None],
    limits: ReadingLimits,
) -> Iterator[Row]:
    with opened_sheet(source, suffix, limits) as sheet:
        known = options if suffix in WORKBOOK_SUFFIXES else replace(options, header=True)
        reader = TableReader(sheet.rows, known)
        on_reading(Reading(None, reader.table, sheet.name, sheet.skipped))
        position = 0
        for row in reader.rows():
            yield row
            position = row.position
        if sheet.unread:
            message = f"Only the sheet {sheet.name!r} was read, not {listed(sheet.unread)}."
            yield BadRow(position + 1, "sheet_not_read", f"{message} Save each as a file of its own.", lost="rest")


def _of_encoding(row: BadRow, encoding: Encoding) -> BadRow:
    assert row.undecoded is not None
    return replace(row, undecoded=replace(row.undecoded, encoding=encoding.name))


def _errors(encoding: Encoding) -> str:
    """What to do with bytes that are no character: UTF-16 and UTF-32 have no surrogates to tell them by."""
    return "replace" if encoding.name.startswith(("utf-16", "utf-32")) else "surrogateescape"


def _rows(
    characters: IO[str],
    suffix: str,
    head: bytes,
    encoding: Encoding,
    options: TextOptions,
    on_reading: Callable[[Reading], None],
) -> Iterator[Row]:
    beginning = head.decode(encoding.name, "replace")
    if suffix in _OF_LINES and options.text_column is None and (vectors := vectors_in(beginning, suffix)):
        raise InvalidInput("no_text", f"The file holds vectors, and no texts.{how_to_save(vectors)}")
    if suffix == ".txt" and options.delimiter is None and are_of_a_chat(beginning):
        on_reading(Reading(encoding))
        yield from rows_of_chat(_lines(characters))
        return
    delimiter = delimiter_of_lines(beginning) if suffix == ".txt" and options.delimiter is None else None
    if delimiter is not None:
        suffix, options = ".tsv", replace(options, delimiter=delimiter)
    elif suffix == ".txt" and options.delimiter is None and divided_by_spaces(beginning):
        suffix = ".csv"
    if suffix in _TABLE_SUFFIXES:
        try:
            dialect, rows = opened_table(characters, options.delimiter, options.asked)
            reader = TableReader(rows, options, dialect)
        except csv.Error as error:
            raise InvalidInput("malformed_table", f"The table cannot be read: {error}") from error
        on_reading(Reading(encoding, reader.table, skipped=dialect.skipped))
        yield from reader.rows()
        return
    on_reading(Reading(encoding))
    if suffix == ".txt":
        yield from rows_of_lines(_lines(characters), beginning)
    elif is_document(beginning, suffix):
        yield from rows_of_document(characters, options)
    else:
        yield from rows_of_json_lines(_lines(characters), options)


def _lines(characters: IO[str]) -> Iterator[tuple[int, str | BadRow]]:
    position = 0
    while line := characters.readline(LONGEST_LINE):
        position += 1
        line = line.removeprefix(MARK)
        if line.endswith(("\n", "\r")) or len(line) < LONGEST_LINE:
            yield position, line
            continue
        while rest := characters.readline(LONGEST_LINE):
            if rest.endswith(("\n", "\r")):
                break
        yield position, BadRow(position, "text_too_long", f"The line has more than {LONGEST_LINE:,} characters.")
