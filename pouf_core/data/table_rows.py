"""Rows of tables of texts: comma-separated values and what people call so."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO

from pouf_core.contract.findings import listed
from pouf_core.contract.item_limits import MAX_CHARACTERS
from pouf_core.data.dialects import SNIFFED_CHARACTERS, SNIFFED_ROWS, Dialect, dialect_of, divides_cells
from pouf_core.data.no_texts import headings_below, is_total
from pouf_core.data.text_rows import BadRow, Row, called, pair_of, row_of
from pouf_core.data.text_tables import Columns, columns_of
from pouf_core.errors import InvalidInput

LONGEST_LINE = 8 * MAX_CHARACTERS
csv.field_size_limit(LONGEST_LINE)  # the whole process's: a cell may be as long as a line
#: Not `None`, which people answer.
_NO_VALUE = frozenset(("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null"))
_COMMON_WIDTH = 0.5  # of rows, which the first one must share


@dataclass(frozen=True)
class TableOptions:
    """What a caller says of tables; None leaves it to be told by the rows.

    Attributes:
        text_column, label_column: names from the header, or of fields of JSON; or numbers, from 0.
        delimiter: between cells, one character.
        header: whether the first row names the columns.

    Raises:
        InvalidInput: `invalid_value`, of a delimiter that is none.
    """

    text_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and not divides_cells(self.delimiter):
            message = f"A delimiter is one character, such as ; or a tab, and {self.delimiter!r} is none."
            raise InvalidInput("invalid_value", message, field="/delimiter")

    @property
    def asked(self) -> list[str]:
        """The columns that are asked for."""
        return [column for column in (self.text_column, self.label_column) if column is not None]


@dataclass(frozen=True)
class Table:
    """How a table is read.

    Attributes:
        dialect: how its rows are written; None where they are in cells.
        columns: what they hold.
        names: the first row, where it is a header.
    """

    dialect: Dialect | None
    columns: Columns
    names: tuple[str, ...] | None


class TableReader:
    """Reads a table once, in constant memory.

    Args:
        rows: its rows, from the first on.
        options: what the caller says of it.
        dialect: how they are written; None where they are in cells.

    Attributes:
        table: how it is read; None for one without rows.

    Raises:
        InvalidInput: `malformed_table`, or as `columns_of`.
    """

    def __init__(self, rows: Iterable[list[str]], options: TableOptions, dialect: Dialect | None = None) -> None:
        self._rows = enumerate(rows, start=1)
        try:
            self._first = list(islice(self._rows, SNIFFED_ROWS))
        except csv.Error as error:
            raise InvalidInput("malformed_table", f"The table cannot be read: {error}") from error
        first = [list(cells) for _, cells in self._first if not _is_blank(cells)]
        self._more_headings = headings_below(first) if options.header is not False else 0
        del first[1 : 1 + self._more_headings]
        self.table: Table | None = None
        if not first:
            return
        self._names_rows = _names_rows(first)
        if self._names_rows:
            first[0].insert(0, "")
        _require_even(first)
        header = True if self._more_headings else options.header
        columns = columns_of(first, options.text_column, options.label_column, header)
        self.table = Table(dialect, columns, tuple(first[0]) if columns.has_header else None)
        self._header = first[0] if columns.has_header else None
        self._width = len(first[0])

    def rows(self) -> Iterator[Row]:
        """The texts, and the rows that are none."""
        if self.table is None:
            yield from (_empty_row(position) for position, _ in self._first)
            return
        columns, position = self.table.columns, 0
        headings = columns.has_header + self._more_headings
        total: tuple[int, list[str]] | None = None  # until it is known whether rows follow
        try:
            for position, cells in chain(self._first, self._rows):
                if _is_blank(cells):
                    yield _empty_row(position)
                elif headings:
                    headings -= 1
                elif cells == self._header:
                    yield BadRow(position, "empty_text", "The row is the header again.", lost="nothing")
                else:
                    if total is not None:
                        yield self._row(*total, columns)
                    total = (position, cells) if is_total(cells) else None
                    if total is None:
                        yield self._row(position, cells, columns)
            if total is not None:
                yield BadRow(total[0], "no_text", "The last row is of totals.", lost="nothing")
        except csv.Error as error:
            message = f"The table cannot be read beyond this row: {error}"
            yield BadRow(position + 1, "malformed_table", message, lost="rest")

    def _row(self, position: int, cells: list[str], columns: Columns) -> Row:
        if len(cells) > self._width and any(cells[self._width :]):
            message = f"The row has {len(cells)} cells, the first one {self._width}. Quote texts that hold delimiters."
            return BadRow(position, "malformed_row", message)
        text, label = _cell(cells, columns.text), _cell(cells, columns.label)
        if text is not None and text.strip() in _NO_VALUE:
            return BadRow(
                position, "empty_text", f"The cell is {text.strip()!r}, as programs write that there is none."
            )
        if columns.text_pair is not None:
            row = pair_of(position, text, _cell(cells, columns.text_pair), label)
        else:
            row = row_of(position, text, label)
        return called(row, _cell(cells, columns.name))


def _is_blank(cells: Sequence[str]) -> bool:
    """Whether a row is empty, or a line that is drawn, as Markdown does below headings."""
    return not any(cell.strip(" \t-:") for cell in cells)


def _empty_row(position: int) -> BadRow:
    return BadRow(position, "empty_text", "The row is empty.", lost="nothing")


def _cell(cells: list[str], column: int | None) -> str | None:
    return cells[column] if column is not None and column < len(cells) else None


def _names_rows(rows: list[list[str]]) -> bool:
    """Whether every row has one cell more than the first, as R writes the names of rows.

    Not where the cell more is an empty one at the end: then the rows, but not the first, end in a delimiter. Nor where
    a space is before every second cell: then the first ones are cut at a comma.
    """
    width, rest = len(rows[0]), rows[1:]
    if width < 2 or any(len(row) != width + 1 for row in rest) or not any(row[-1] for row in rest):
        return False
    return not all(row[1].startswith(" ") for row in rest)


def _require_even(rows: list[list[str]]) -> None:
    longer = sum(len(row) > len(rows[0]) and any(row[len(rows[0]) :]) for row in rows)
    if longer > _COMMON_WIDTH * len(rows):
        raise InvalidInput(
            "malformed_table",
            f"Most rows have more cells than the first one, which has {len(rows[0])}: {listed(rows[0])}. "
            "Quote texts that hold delimiters, or name the delimiter.",
        )


MARK = "\ufeff"
"""Before a file that was put behind another."""
_AT_A_LINE = re.compile(f"^{MARK}", re.MULTILINE)


def opened_table(
    characters: IO[str], delimiter: str | None = None, columns: Sequence[str] = ()
) -> tuple[Dialect, Iterator[list[str]]]:
    """A table's dialect, and its rows from the first on, in constant memory.

    Args:
        characters: the decoded file, line ends as they are.
        delimiter, columns: as for `dialect_of`.

    Raises:
        csv.Error: at once or with a row: it is no table.
    """
    head = _whole_lines(characters)
    dialect = dialect_of(head, delimiter, columns)
    return dialect, dialect.rows(islice(_joined(head, characters), dialect.skipped, None))


def _whole_lines(characters: IO[str]) -> str:
    """The first characters, up to the end of a line."""
    head = characters.read(SNIFFED_CHARACTERS)
    if len(head) == SNIFFED_CHARACTERS and not head.endswith(("\n", "\r")):
        head += bounded_line(characters)
    return _AT_A_LINE.sub("", head)


def _joined(head: str, rest: IO[str]) -> Iterator[str]:
    yield from io.StringIO(head, newline="")
    while line := bounded_line(rest):
        yield line


def bounded_line(characters: IO[str]) -> str:
    """The next line with its end; empty at the end of the file.

    Raises:
        csv.Error: it is longer than a table's line may be.
    """
    line = characters.readline(LONGEST_LINE).removeprefix(MARK)
    if len(line) >= LONGEST_LINE and not line.endswith(("\n", "\r")):
        raise csv.Error(f"a line has more than {LONGEST_LINE:,} characters")
    return line
