"""The process that reads untrusted workbooks and tables in parquet: `python -m pouf_core.data.sheet_process`.

It writes a line of JSON about the table, then one for each row, a list of strings, then one that ends it; or a line
with the code and message of what is wrong. `pouf_core.data.sheets` is the other side.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from pouf_core.contract.item_limits import MAX_CHARACTERS
from pouf_core.data.limited_process import limit_cpu, limit_resources
from pouf_core.data.text_rows import LONGEST_LABEL
from pouf_core.errors import InvalidInput

END = "end"
MOST_COLUMNS = 1000
_BATCH_ROWS, _BATCH_BYTES = 128, 32 * 1024**2
_BUFFER_BYTES = 1024**2
_ALLOWANCE_ROWS = 10_000
_TITLE_ROWS = 200
_INDEX_OF_PANDAS = "__index_level_"


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
        filled = (sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height)
        sheet = next(filled, None)
        if sheet is None:
            return {"sheet": None, "unread": [], "skipped": 0}, iter(())
        _check_width(sheet.total_width)
        about = {"sheet": sheet.name, "unread": [other.name for other in filled]}
    except calamine.PasswordError as error:
        raise InvalidInput("malformed_table", "The workbook has a password; save it without one.") from error
    except calamine.CalamineError as error:
        raise InvalidInput(
            "malformed_table", f"The workbook cannot be read: {error}. Save it as .xlsx or .csv."
        ) from error
    titles, rows = _without_titles(map(_texts, sheet.iter_rows()))
    return about | {"skipped": titles}, rows


def read_parquet(path: Path) -> tuple[dict[str, Any], Iterator[list[str]]]:
    """The names of the columns that hold single values, as the first row, and the rows.

    Raises:
        InvalidInput: `malformed_table`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)  # else a whole column of a group is read at once
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("malformed_table", f"The parquet file cannot be read: {_first_line(error, path)}") from error
    schema = file.schema_arrow
    single = [
        field.name
        for field in schema
        if not pa.types.is_nested(field.type) and not field.name.startswith(_INDEX_OF_PANDAS)
    ]
    _check_width(len(single))
    if len(set(single)) != len(single):
        raise InvalidInput("malformed_table", "Two columns of the file have the same name.")
    if not any(_is_text(schema.field(name).type) for name in single):
        columns = ", ".join(field.name[:100] for field in schema)[:200]
        raise InvalidInput("malformed_table", f"No column of the file holds texts; its columns are: {columns}.")
    return {"sheet": None, "unread": [], "skipped": 0}, _chained([single], _rows_of_parquet(file, single, path))


def _rows_of_parquet(file: Any, columns: list[str], path: Path) -> Iterator[list[str]]:
    import pyarrow as pa

    names = _class_names(file.schema_arrow.metadata or {})
    try:
        for batch in file.iter_batches(_rows_at_once(file.metadata), columns=columns, use_threads=False):
            for part in _parts(batch):
                cells = [
                    [_named(value, names.get(name)) for value in part.column(name).to_pylist()] for name in columns
                ]
                yield from (_texts(row) for row in zip(*cells, strict=True))
    except MemoryError:  # an ArrowException too
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("malformed_table", f"The file is damaged: {_first_line(error, path)}") from error


def _rows_at_once(metadata: Any) -> int:
    """How many rows of a parquet file to hold at a time, by how large those of its groups are."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(largest, 1)))


def _parts(batch: Any) -> Iterator[Any]:
    """A batch's rows, as many at a time as may be copied: a value that is stored once may stand in all of them."""
    rows = max(1, batch.num_rows * _BATCH_BYTES // max(batch.nbytes, _BATCH_BYTES))
    return (batch.slice(first, rows) for first in range(0, batch.num_rows, rows))


def kind_of_parquet(path: Path) -> str:
    """What a parquet file holds by its columns: `embedding` where one is of lists of numbers, or all are numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = [field.type for field in pq.read_schema(path)]
    lists = [kind for kind in types if pa.types.is_list(kind) or pa.types.is_large_list(kind)]
    lists += [kind for kind in types if pa.types.is_fixed_size_list(kind)]
    if any(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type) for kind in lists):
        return "embedding"
    return "text" if any(map(_is_text, types)) else "embedding"


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names that Hugging Face's `datasets` keeps of columns with numbers of classes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: [str(one)[:LONGEST_LABEL] for one in about["names"]]  # which every row of a class repeats
            for name, about in features.items()
            if isinstance(about, dict) and isinstance(about.get("names"), list)
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _named(value: Any, names: list[str] | None) -> Any:
    return names[value] if names and isinstance(value, int) and 0 <= value < len(names) else value


def _check_width(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise InvalidInput("malformed_table", f"The table has {columns:,} columns; at most {MOST_COLUMNS:,} are read.")


def _texts(cells: Iterable[Any]) -> list[str]:
    """Cells as a person sees them; of a long text enough to be refused for its length."""
    return [_text(cell)[: MAX_CHARACTERS + 1] for cell in cells]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))  # workbooks hold no other numbers than these
    return cell.isoformat() if isinstance(cell, date | datetime | time) else str(cell)


def _without_titles(rows: Iterator[list[str]]) -> tuple[int, Iterator[list[str]]]:
    """How many rows stand before the table, and the rows from it on: above one with several cells, those with one."""
    first = list(islice(rows, _TITLE_ROWS))
    filled = [sum(bool(cell.strip()) for cell in row) for row in first]
    several = [count for count in filled if count > 1]
    table = filled.index(several[0]) if 2 * len(several) > sum(map(bool, filled)) else 0
    return table, _chained(first[table:], rows)


def _chained(first: list[list[str]], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield from first
    yield from rest


def _first_line(error: Exception, path: Path) -> str:
    return str(error).partition("\n")[0][:200].replace(str(path), "it")


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def main(arguments: list[str]) -> None:
    """Read one file; the arguments are what is wanted, its path, and what that may take."""
    wanted, path, memory_bytes, cpu_seconds = arguments
    limit_resources(int(memory_bytes))
    limit_cpu(float(cpu_seconds))
    if wanted == "kind":
        _write(kind_of_parquet(Path(path)))
        return
    try:
        about, rows = (read_parquet if wanted == "parquet" else read_workbook)(Path(path))
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
