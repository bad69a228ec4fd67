"""Tables that say the labels of pictures, or of the rows of embeddings, in the many ways in which people write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pouf_core.contract.findings import listed
from pouf_core.data.headings import FILES, LABELS, PICTURE_LABELS, ROWS, folded
from pouf_core.data.labels.columns import Missing, label_columns, names_a_picture
from pouf_core.data.sheets import USUAL_LIMITS, opened_sheet
from pouf_core.data.table_rows import opened_table
from pouf_core.data.text_rows import label_of
from pouf_core.errors import InvalidInput

UNREADABLE = "labels_unreadable"
#: Of a table that names pictures: several columns may hold labels, or none is the one that was asked for.
AMBIGUOUS, NO_SUCH_COLUMN = "labels_ambiguous", "label_column_not_found"
#: It has no column of files, or none of labels; no caller of the service sees this one.
NO_COLUMN = "labels_missing"
_HEADING_CHARACTERS, _HEADING_LINES = 65_536, 20  # titles may stand above the headings
_DELIMITERS = re.compile(r"[,;\t|]")
_AROUND_CELLS = "\"' \ufeff"
_FIRST_ROWS = 200  # that tell the columns
_KEY = "id"  # heads tables of anything
_NAMES_OF_FILES = frozenset(FILES) - {_KEY}
_SEPARATOR = "sep="  # begins a line that says another delimiter

Rows = list[tuple[str, str]]
"""Files, or numbers of rows, and a label each."""


@dataclass(frozen=True)
class LabelledFiles:
    """What a table says of files.

    Attributes:
        pairs: files and their labels, in order; rows without either are left out.
        is_guess: whether the headings do not tell the labels.
    """

    pairs: Iterator[tuple[str, str]]
    is_guess: bool


def labels_of_files(text: str, label_column: str | None = None) -> LabelledFiles:
    """Files and their labels.

    Args:
        text: the table, with headings such as `file,label`, `image;class` or `path,target`; see `label_columns`.
        label_column: as `asked` there.

    Raises:
        InvalidInput: `labels_unreadable`, at once or with a row; or as `labels_in_rows`.
    """
    return labels_in_rows(_all_rows(text), label_column)


def may_name_pictures(text: str) -> bool:
    """Whether a table's first lines may name pictures beside labels, without the process that tells its dialect."""
    lines = text[:_HEADING_CHARACTERS].splitlines()[:_HEADING_LINES]
    if lines and lines[0].strip(_AROUND_CELLS).lower().startswith(_SEPARATOR):
        return True
    rows = ([cell.strip(_AROUND_CELLS) for cell in _DELIMITERS.split(line)] for line in lines)
    return any(len(row) > 1 and (any(map(names_a_picture, row)) or _heads_labels(row)) for row in rows)


def _heads_labels(row: Sequence[str]) -> bool:
    names = {folded(cell) for cell in row}
    names -= {"y"} if "x" in names else set()  # coordinates
    return not names.isdisjoint(_NAMES_OF_FILES) or (_KEY in names and not names.isdisjoint(PICTURE_LABELS))


def labels_in_sheet(data: bytes, suffix: str, most_rows: int, label_column: str | None = None) -> tuple[Rows, bool]:
    """The pairs of `labels_of_files`, no more than that, and whether they are a guess; of a workbook of that suffix.

    Raises:
        InvalidInput: `labels_unreadable`, or as `labels_in_rows`.
    """
    try:
        with opened_sheet(io.BytesIO(data), suffix, USUAL_LIMITS) as sheet:
            found = labels_in_rows(_guarded(sheet.rows), label_column)
            return list(islice(found.pairs, most_rows)), found.is_guess
    except InvalidInput as error:
        told = (UNREADABLE, AMBIGUOUS, NO_SUCH_COLUMN, NO_COLUMN)
        raise error if error.code in told else unreadable(error.message) from error


def labels_in_rows(rows: Iterator[list[str]], label_column: str | None = None) -> LabelledFiles:
    """As `labels_of_files`, of rows from the first on.

    Raises:
        InvalidInput: `labels_ambiguous`, `label_column_not_found` or `labels_missing`.
    """
    first = list(islice(rows, _FIRST_ROWS))
    columns = label_columns(first, label_column)
    if isinstance(columns, Missing):
        raise unreadable(_what_is_missing(columns, label_column), _code_of(columns, label_column))
    body = chain(first[columns.has_header :], rows)
    pairs = (pair for row in body if (pair := columns.pair(row)) is not None)
    return LabelledFiles(pairs, columns.is_guess)


def _code_of(columns: Missing, asked: str | None) -> str:
    if columns.what == "files" or not columns.candidates:
        return NO_COLUMN
    if asked is not None:
        return NO_SUCH_COLUMN
    return AMBIGUOUS if len(columns.candidates) > 1 else NO_COLUMN


def _what_is_missing(columns: Missing, asked: str | None) -> str:
    if columns.what == "files":
        return f"Its header has no column with file names; head it {FILES[0]}."
    shown = listed(columns.candidates)
    if asked is not None:
        return f"It has no column {asked!r} with labels" + (f"; its columns are {shown}." if shown else ".")
    if len(columns.candidates) > 1:
        return f"The labels may be in several columns: {shown}. Name one as label_column, or head it {LABELS[0]}."
    return f"Its header has no column with labels; head it {LABELS[0]}, or name it as label_column."


def labels_of_rows(text: str) -> tuple[bool, Iterator[tuple[int, str | None]]]:
    """Whether a column headed `index` or `row` names rows; and rows, from 0, with their labels.

    Without such a column they are the table's own, in order. A label is None where there is none.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    header, rows = _opened(text)
    label, number = _label_place(header), _first(header, ROWS)
    return number is not None, _numbered(header, rows, label, number)


def unreadable(reason: str, code: str = UNREADABLE) -> InvalidInput:
    """The refusal of a file of labels."""
    return InvalidInput(code, f"The file of labels cannot be used. {reason}")


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
    rows = _all_rows(text)
    return next(rows, []), rows


def _all_rows(text: str) -> Iterator[list[str]]:
    try:
        _, rows = opened_table(io.StringIO(text, newline=""))
    except csv.Error as error:
        raise unreadable(f"It is no table: {error}.") from error
    return _guarded(rows)


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


def _label_place(header: Sequence[str]) -> int:
    found = _first(header, PICTURE_LABELS)
    if found is None:
        raise unreadable(f"Its header has no column with labels; head it {LABELS[0]}.")
    return found
