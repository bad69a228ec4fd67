"""Tables that say the labels of pictures, or of the rows of embeddings, in the many ways in which people write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from pouf_core.data.headings import FILES, PICTURE_LABELS, ROWS, folded
from pouf_core.data.sheets import USUAL_LIMITS, opened_sheet
from pouf_core.data.table_rows import opened_table
from pouf_core.data.text_rows import label_of
from pouf_core.errors import InvalidInput

UNREADABLE = "labels_unreadable"
_HEADING_CHARACTERS, _HEADING_LINES = 65_536, 20  # titles may stand above the headings
_DELIMITERS = re.compile(r"[,;\t|]")
_AROUND_CELLS = "\"' \ufeff"
_SEPARATOR = "sep="  # begins a line that says another delimiter


def labels_of_files(text: str) -> Iterator[tuple[str, str]]:
    """Files and their labels, in order; rows without either are left out.

    Args:
        text: the table, with headings such as `file,label`, `image;class` or `path,target`.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    yield from _labels_of_files(*_opened(text))


def has_headings(text: str) -> bool:
    """Whether one of the table's first lines may head files and labels, without the process that tells its dialect."""
    lines = text[:_HEADING_CHARACTERS].splitlines()[:_HEADING_LINES]
    if lines and lines[0].strip(_AROUND_CELLS).lower().startswith(_SEPARATOR):
        return True
    cells = ({folded(cell.strip(_AROUND_CELLS)) for cell in _DELIMITERS.split(line)} for line in lines)
    return any(not names.isdisjoint(FILES) and not _labels_among(names).isdisjoint(PICTURE_LABELS) for names in cells)


def _labels_among(names: set[str]) -> set[str]:
    """The headings that may be of labels: beside an `x`, `y` is a coordinate."""
    return names - {"y"} if "x" in names else names


def labels_in_sheet(data: bytes, suffix: str, most_rows: int) -> list[tuple[str, str]]:
    """As `labels_of_files`, of a workbook whose name has that suffix, and no more rows than that.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    try:
        with opened_sheet(io.BytesIO(data), suffix, USUAL_LIMITS) as sheet:
            header = next((row for row in sheet.rows if row), [])
            return list(islice(_labels_of_files(header, _guarded(sheet.rows)), most_rows))
    except csv.Error as error:
        raise unreadable(f"It is no table: {error}.") from error
    except InvalidInput as error:
        raise error if error.code == UNREADABLE else unreadable(error.message) from error


def _labels_of_files(header: Sequence[str], rows: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    file, label = (
        _place(header, headings, what) for headings, what in ((FILES, "file names"), (PICTURE_LABELS, "labels"))
    )
    for row in rows:
        name, said = _cell(row, file), label_of(_cell(row, label))
        if name and said is not None:
            yield name, said


def labels_of_rows(text: str) -> tuple[bool, Iterator[tuple[int, str | None]]]:
    """Whether a column headed `index` or `row` names rows; and rows, from 0, with their labels.

    Without such a column they are the table's own, in order. A label is None where there is none.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    header, rows = _opened(text)
    label, number = _place(header, PICTURE_LABELS, "labels"), _first(header, ROWS)
    return number is not None, _numbered(header, rows, label, number)


def unreadable(reason: str) -> InvalidInput:
    """The refusal of a file of labels."""
    return InvalidInput(UNREADABLE, f"The file of labels cannot be used. {reason}")


def _numbered(
    header: Sequence[str], rows: Iterator[list[str]], label: int, number: int | None
) -> Iterator[tuple[int, str | None]]:
    for position, row in enumerate(rows):
        if number is None:
            yield position, label_of(_cell(row, label))
            continue
        said = _cell(row, number)
        if not said.isascii() or not said.isdecimal() or len(said) > 18:
            raise unreadable(f"{said!r} in column {header[number]!r} is no row, which count from 0.")
        yield int(said), label_of(_cell(row, label))


def _opened(text: str) -> tuple[list[str], Iterator[list[str]]]:
    try:
        _, rows = opened_table(io.StringIO(text, newline=""))
        header = next((row for row in rows if row), [])
    except csv.Error as error:
        raise unreadable(f"It is no table: {error}.") from error
    return header, _guarded(rows)


def _guarded(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from (row for row in rows if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise unreadable(f"It is no table: {error}.") from error


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _first(header: Sequence[str], headings: Sequence[str]) -> int | None:
    names = [folded(cell) for cell in header]
    return next((names.index(heading) for heading in headings if heading in names), None)


def _place(header: Sequence[str], headings: Sequence[str], what: str) -> int:
    found = _first(header, headings)
    if found is None:
        raise unreadable(f"Its header has no column with {what}; head it {headings[0]}.")
    return found
