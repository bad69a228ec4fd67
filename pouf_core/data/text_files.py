"""Files of texts, read one text at a time: lines, tables and JSON. Labels come out apart from the texts."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO

from pouf_core.contract.item_limits import MAX_CHARACTERS
from pouf_core.data.file_kinds import TEXT_SUFFIXES
from pouf_core.data.text_tables import (
    LABEL,
    PAIR,
    SNIFFED_CHARACTERS,
    SNIFFED_ROWS,
    TEXT,
    Columns,
    columns_of,
    sniff_dialect,
)
from pouf_core.data.texts import TextItem, clean_text
from pouf_core.errors import InvalidInput

_LONGEST_LINE = 8 * MAX_CHARACTERS
_LARGEST_DOCUMENT = 32 * 1024**2
_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # that of UTF-32 LE begins as the first


@dataclass(frozen=True)
class TextRow:
    """A usable text, or pair of texts.

    Attributes:
        position: number of its line or row, from 1, the header included.
        text: cleaned, see `clean_text`.
        label: what a label column says, or None; for evaluation alone.
        text_pair: the second text of a pair, cleaned, or None.
    """

    position: int
    text: str
    label: str | None = None
    text_pair: str | None = None

    @property
    def item(self) -> TextItem:
        """The text, or both."""
        return TextItem(self.text, self.text_pair)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why; `position` as in `TextRow`."""

    position: int
    code: str
    message: str


Row = TextRow | BadRow


def read_texts(
    source: Path | IO[bytes], name: str, *, text_column: str | None = None, label_column: str | None = None
) -> Iterator[Row]:
    """The texts of a file in order, in constant memory (`.json` alone is read whole).

    Args:
        source: a path, or an open binary file.
        name: its name, whose suffix says what it is: `.txt` (a line a text), `.csv` and `.tsv` (a row a text; the
            delimiter is sniffed), `.jsonl` and `.ndjson` (an object or a string a line) or `.json` (`{"texts": […]}`).
            All UTF-8, a byte order mark allowed. Where there is no `text` but `text_a` and `text_b`, an object or a row
            is a pair.
        text_column: the column or field with the text; None for `text`, or the only column of a table with texts.
        label_column: the column or field with evaluation labels; None for `label`, where there is one.

    Raises:
        InvalidInput: `unknown_text_file`, `text_column_not_found`, `label_column_not_found`, `text_column_ambiguous`,
            `malformed_table`, `malformed_json`, `undecodable_text` (by its mark), `item_too_large` (a whole `.json`).
    """
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield from read_texts(stream, name, text_column=text_column, label_column=label_column)
        return
    suffix = Path(name).suffix.lower()
    if suffix not in TEXT_SUFFIXES:
        raise InvalidInput("unknown_text_file", f"{name} is none of {', '.join(TEXT_SUFFIXES)}.")
    _refuse_other_encodings(source)
    # Undecodable bytes become surrogates, so that only the text that holds them is refused.
    characters = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        if suffix in (".csv", ".tsv"):
            yield from _read_table(characters, text_column, label_column)
        elif suffix == ".json":
            yield from _read_document(characters, text_column, label_column)
        else:
            for position, line in _lines(characters):
                if isinstance(line, BadRow):
                    yield line
                elif suffix == ".txt":
                    yield row_of(position, line)
                else:
                    yield _json_line(position, line, text_column, label_column)
    finally:
        characters.detach()


def _refuse_other_encodings(source: IO[bytes]) -> None:
    if not source.seekable():
        return
    start = source.tell()
    head = source.read(4)
    source.seek(start)
    if head.startswith(_OTHER_MARKS):
        raise InvalidInput(
            "undecodable_text", 'The file is in UTF-16 or UTF-32 ("Unicode" in some programs). Save it as UTF-8.'
        )


def _lines(characters: IO[str]) -> Iterator[tuple[int, str | BadRow]]:
    position = 0
    while line := characters.readline(_LONGEST_LINE):
        position += 1
        if line.endswith("\n") or len(line) < _LONGEST_LINE:
            yield position, line
            continue
        while rest := characters.readline(_LONGEST_LINE):
            if rest.endswith("\n"):
                break
        yield position, BadRow(position, "text_too_long", f"The line has more than {_LONGEST_LINE:,} characters.")


def row_of(position: int, text: object, label: object = None) -> Row:
    """A row from a text and a label as they were read."""
    if not isinstance(text, str):
        return BadRow(position, "no_text", "The text is missing, or is not a string.")
    if any("\udc80" <= character <= "\udcff" for character in text):
        return BadRow(position, "undecodable_text", f"Row {position} is not UTF-8.")
    try:
        cleaned = clean_text(text)
    except InvalidInput as error:
        return BadRow(position, error.code, error.message)
    name = "" if label is None else str(label).strip().replace("\0", "").encode("utf-8", "replace").decode()
    return TextRow(position, cleaned, name or None)


def pair_of(position: int, first: object, second: object, label: object = None) -> Row:
    """A row from both texts of a pair and a label as they were read."""
    one, other = row_of(position, first, label), row_of(position, second)
    if isinstance(one, BadRow):
        return BadRow(position, one.code, f"text_a: {one.message}")
    if isinstance(other, BadRow):
        return BadRow(position, other.code, f"text_b: {other.message}")
    return TextRow(position, one.text, one.label, other.text)


def _json_line(position: int, line: str, text_column: str | None, label_column: str | None) -> Row:
    if not line.strip():
        return BadRow(position, "empty_text", "The line is empty.")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(position, "malformed_json", f"Line {position} is not JSON: {error}")
    return _json_row(position, value, text_column, label_column)


def _json_row(position: int, value: object, text_column: str | None, label_column: str | None) -> Row:
    if not isinstance(value, dict):
        return row_of(position, value)
    label = value.get(label_column or LABEL)
    if text_column is None and TEXT not in value and all(field in value for field in PAIR):
        first, second = PAIR
        return pair_of(position, value[first], value[second], label)
    return row_of(position, value.get(text_column or TEXT), label)


def _read_document(characters: IO[str], text_column: str | None, label_column: str | None) -> Iterator[Row]:
    content = characters.read(_LARGEST_DOCUMENT + 1)
    if len(content) > _LARGEST_DOCUMENT:
        message = f"A .json is read whole and may have {_LARGEST_DOCUMENT:,} characters; a .jsonl may have any number."
        raise InvalidInput("item_too_large", message)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("malformed_json", f"The file is not JSON: {error}") from error
    texts = document.get("texts") if isinstance(document, dict) else document
    if not isinstance(texts, list):
        raise InvalidInput("malformed_json", 'The file must hold {"texts": […]} or a list.')
    for position, value in enumerate(texts, start=1):
        yield _json_row(position, value, text_column, label_column)


def _read_table(characters: IO[str], text_column: str | None, label_column: str | None) -> Iterator[Row]:
    head = characters.read(SNIFFED_CHARACTERS)
    rows = csv.reader(_joined(head, characters), sniff_dialect(head))
    try:
        first = list(islice(rows, SNIFFED_ROWS))
    except csv.Error as error:
        raise InvalidInput("malformed_table", f"The table cannot be read: {error}") from error
    if not first:
        return
    columns = columns_of(first, text_column, label_column)
    position = 0
    try:
        for position, cells in enumerate(chain(first, rows), start=1):
            if position > 1 or not columns.has_header:
                yield _table_row(columns, position, cells)
    except csv.Error as error:
        yield BadRow(position + 1, "malformed_table", f"The table cannot be read beyond this row: {error}")


def _joined(head: str, rest: IO[str]) -> Iterator[str]:
    lines = io.StringIO(head, newline="")
    for line in lines:
        complete = line.endswith(("\n", "\r"))
        yield line if complete else line + _bounded_line(rest)
    while line := _bounded_line(rest):
        yield line


def _bounded_line(characters: IO[str]) -> str:
    line = characters.readline(_LONGEST_LINE)
    if len(line) >= _LONGEST_LINE and not line.endswith(("\n", "\r")):
        raise csv.Error(f"a line has more than {_LONGEST_LINE:,} characters")
    return line


def _table_row(columns: Columns, position: int, cells: list[str]) -> Row:
    if not any(cell.strip() for cell in cells):
        return BadRow(position, "empty_text", "The row is empty.")
    text, label = _cell(cells, columns.text), _cell(cells, columns.label)
    if columns.text_pair is not None:
        return pair_of(position, text, _cell(cells, columns.text_pair), label)
    return row_of(position, text, label)


def _cell(cells: list[str], column: int | None) -> str | None:
    return cells[column] if column is not None and column < len(cells) else None
