"""The process that reads untrusted workbooks and tables in parquet: `python -m pouf_core.data.sheet_process`.

It writes a line of JSON about the table, then one for each row, a list of strings, then one that ends it; or a line
with the code and message of what is wrong. `pouf_core.data.sheets` is the other side.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pouf_core.data.arrow_tables import kind_of_table, read_arrow
from pouf_core.data.headings import LABELS, TEXTS, folded
from pouf_core.data.limited_process import limit_cpu, limit_resources
from pouf_core.data.sheet_cells import check_width, texts_of
from pouf_core.errors import InvalidInput

END = "end"
_ALLOWANCE_ROWS = 10_000
_TITLE_ROWS = 200
_COVER_ROWS = 30
_CODEBOOK = frozenset(("variable", "variable_name", "field", "field_name", "column", "column_name", "spalte", "feld"))
_HEADINGS = frozenset((*TEXTS, *LABELS)) - {"y"}


def read_workbook(path: Path) -> tuple[dict[str, Any], Iterator[list[str]]]:
    """What there is to say of a workbook, and the rows of its first visible sheet that has any.

    Raises:
        InvalidInput: `malformed_table`.
    """
    import python_calamine as calamine

    try:
        with path.open("rb") as stream:  # by its content: stored files have no suffix
            book = calamine.CalamineWorkbook.from_filelike(BytesIO(stream.read()))
        visible = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == calamine.SheetVisibleEnum.Visible and sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        sheets = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height]
        sheets = [sheet for sheet in sheets if not _is_note(sheet)] or sheets
        if not sheets:
            return {"sheet": None, "unread": [], "skipped": 0}, iter(())
        sheet = _first_table(sheets)
        check_width(sheet.total_width)
        about = {"sheet": sheet.name, "unread": [other.name for other in sheets if other is not sheet]}
    except calamine.PasswordError as error:
        raise InvalidInput("malformed_table", "The workbook has a password; save it without one.") from error
    except calamine.CalamineError as error:
        raise InvalidInput(
            "malformed_table", f"The workbook cannot be read: {error}. Save it as .xlsx or .csv."
        ) from error
    titles, rows = _without_titles(map(texts_of, sheet.iter_rows()))
    return about | {"skipped": titles}, rows


def _is_note(sheet: Any) -> bool:
    """Whether a sheet has one cell alone, a title or a remark, of which nothing is lost."""
    if sheet.height > _COVER_ROWS:
        return False
    return sum(bool(cell.strip()) for row in map(texts_of, sheet.to_python()) for cell in row) <= 1


def _first_table(sheets: Sequence[Any]) -> Any:
    """The first sheet, unless it is a cover: short, without a heading of texts or labels that a longer one has.

    So is one that tells what the columns of the others hold.
    """
    first, *others = sheets
    if not others or first.height > _COVER_ROWS or (_is_headed(first) and not _is_codebook(first)):
        return first
    return next((sheet for sheet in others if sheet.height > first.height and _is_headed(sheet)), first)


def _is_headed(sheet: Any) -> bool:
    rows = map(texts_of, sheet.to_python(nrows=_COVER_ROWS))
    return any({folded(cell) for cell in row} & _HEADINGS and sum(map(bool, row)) > 1 for row in rows)


def _is_codebook(sheet: Any) -> bool:
    rows = map(texts_of, sheet.to_python(nrows=_COVER_ROWS))
    return any(folded(row[0]) in _CODEBOOK and sum(map(bool, row)) > 1 for row in rows if row)


def _without_titles(rows: Iterator[list[str]]) -> tuple[int, Iterator[list[str]]]:
    """How many rows stand before the table, and the rows from it on: above one with several cells, those with one."""
    first = list(islice(rows, _TITLE_ROWS))
    filled = [sum(bool(cell.strip()) for cell in row) for row in first]
    several = [count for count in filled if count > 1]
    table = filled.index(several[0]) if 2 * len(several) > sum(map(bool, filled)) else 0
    table += _spans_headings(*first[table : table + 2]) if len(first) > table + 1 else 0
    return table, chain(first[table:], rows)


def _spans_headings(above: list[str], below: list[str]) -> bool:
    """Whether a row of fewer cells, each over several columns, stands above the headings."""
    gaps = any(cell.strip() and not over.strip() for over, cell in zip(above, below, strict=False))
    headings = [folded(cell) for cell in below if cell.strip()]
    is_distinct = len(set(headings)) == len(headings) > sum(bool(cell.strip()) for cell in above)
    return gaps and is_distinct and not _HEADINGS.isdisjoint(headings)


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def main(arguments: list[str]) -> None:
    """Read one file; the arguments are what is wanted, its path, and what that may take."""
    wanted: Any
    wanted, path, memory_bytes, cpu_seconds = arguments
    limit_resources(int(memory_bytes))
    limit_cpu(float(cpu_seconds))
    try:
        if wanted.startswith("kind:"):
            _write(kind_of_table(Path(path), wanted.removeprefix("kind:")))
            return
        about, rows = read_workbook(Path(path)) if wanted == "workbook" else read_arrow(Path(path), wanted)
        _write(about)
        for number, row in enumerate(rows):
            if number % _ALLOWANCE_ROWS == 0:
                limit_cpu(float(cpu_seconds))  # anew, since the reading gets on
            _write(row)
        _write(END)
    except InvalidInput as error:
        _write({"code": error.code, "message": error.message})
    except MemoryError:
        _write(
            {
                "code": "malformed_table",
                "message": "Reading the file takes more memory than is allowed. Save it as .csv.",
            }
        )


if __name__ == "__main__":
    main(sys.argv[1:])
