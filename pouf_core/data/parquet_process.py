"""The process that reads an untrusted parquet file: `python -m pouf_core.data.parquet_process`.

It writes the vectors as plain numbers, and labels and names as JSON, into a directory that it is given, and says on its
standard output what they are. `pouf_core.data.parquet_files` is the other side.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pouf_core.contract.classes import MAX_TEXT_LENGTH
from pouf_core.contract.findings import listed
from pouf_core.data.beside_vectors import BESIDE_FILE, FEATURES, LABELS, NAMES
from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.limited_process import limit_cpu, limit_resources
from pouf_core.errors import InvalidInput

BATCH_ROWS = 1024


class Limits:
    """The most rows, and numbers a row, that are read."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns


def convert(path: Path, scratch: Path, limits: Limits) -> dict[str, Any]:
    """Write what the file holds; returns rows, width and type of its vectors, and whether it has labels and names.

    Raises:
        InvalidInput: as `convert_parquet`.
    """
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        label = next((name for name in LABELS if name in schema.names), None)
        name = next((name for name in NAMES if name in schema.names and _is_of_names(schema.field(name).type)), None)
        columns, read, dtype = _vectors(schema, {label, name})
        if file.metadata.num_rows > limits.rows:
            message = f"The file has {file.metadata.num_rows:,} rows; at most {limits.rows:,} are read."
            raise InvalidInput("embedding_file_too_large", message)
        labels: list[str | None] = []
        names: list[str | None] = []
        rows, width = 0, 0
        with (scratch / "features.bin").open("wb") as target:
            wanted = [*columns, *filter(None, (label, name))]
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False):
                block = read(batch, rows).astype(dtype)
                width = _same_width(block, width, rows, limits)
                target.write(block.tobytes())
                rows += len(block)
                if label:
                    labels += _labels(batch.column(label))
                if name:
                    names += _names(batch.column(name))
    beside = {"labels": labels if label else None, "names": names if name else None}
    (scratch / BESIDE_FILE).write_text(json.dumps(beside), encoding="utf-8")
    return {"rows": rows, "width": width, "dtype": dtype}


Reader = Callable[[pa.RecordBatch, int], NDArray[Any]]


def _vectors(schema: pa.Schema, beside: Collection[str | None]) -> tuple[list[str], Reader, str]:
    """The columns with the vectors, what reads a batch of them, and the type of their numbers."""
    fields = [field for field in schema if field.name not in beside]
    lists = [field for field in fields if _is_list(field.type)]
    named = [field for field in lists if field.name == FEATURES]
    chosen = named or lists
    if len(chosen) == 1:
        name, kind = chosen[0].name, chosen[0].type.value_type
        return [name], lambda batch, start: _list_rows(batch.column(name), start), _dtype([kind])
    if lists:
        shown = listed([field.name for field in lists])
        message = f"The file has {len(lists)} columns of lists ({shown}), and none is named {FEATURES}; name one so."
        raise InvalidInput("several_arrays", message)
    if not fields or not all(_is_number(field.type) for field in fields):
        message = "The file needs a column of lists of numbers, named features, or nothing but columns of numbers."
        raise InvalidInput("embedding_shape", message)
    names = [field.name for field in fields]
    if len(set(names)) != len(names):
        raise InvalidInput("embedding_shape", "Two columns of the file have the same name.")
    return (
        names,
        lambda batch, _: np.stack([_numbers(batch.column(name)) for name in names], axis=1),
        _dtype([field.type for field in fields]),
    )


def _is_list(kind: pa.DataType) -> bool:
    of_values = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(of_values and _is_number(kind.value_type))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _dtype(kinds: list[pa.DataType]) -> str:
    narrow = all(pa.types.is_float32(kind) or pa.types.is_float16(kind) for kind in kinds)
    return "<f4" if narrow else "<f8"


def _list_rows(column: pa.Array, start: int) -> NDArray[Any]:
    """Rows [b, d] of a column of lists; one that is null is not a number."""
    if pa.types.is_fixed_size_list(column.type):
        rows = _numbers(column.values)[column.offset * column.type.list_size :][: len(column) * column.type.list_size]
        rows = rows.reshape(len(column), column.type.list_size).astype(np.float64)
        rows[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
        return rows
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    present = ~np.isnan(lengths.astype(np.float64))
    widths = lengths[present].astype(np.int64)
    if len(widths) and (widths != widths[0]).any():
        other = int(np.flatnonzero(present)[np.argmax(widths != widths[0])])
        raise _width_differs(start + other, int(lengths[other]), int(widths[0]))
    width = int(widths[0]) if len(widths) else 0
    rows = np.full((len(column), width), np.nan)
    rows[present] = _numbers(column.flatten()).reshape(-1, width) if width else 0
    return rows


def _numbers(values: pa.Array) -> NDArray[Any]:
    """Numbers, with what is null as not a number."""
    return values.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _same_width(block: NDArray[Any], width: int, start: int, limits: Limits) -> int:
    found = int(block.shape[1])
    if found > limits.columns:
        message = f"A vector may have {limits.columns:,} numbers, and row {start} has {found:,}."
        raise InvalidInput("embedding_shape", message)
    if width not in (0, found):
        raise _width_differs(start, found, width)
    return found


def _width_differs(row: int, width: int, others: int) -> InvalidInput:
    message = f"Row {row} has {width:,} numbers, and the rows before it have {others:,}."
    return InvalidInput("embedding_width", message)


def _labels(column: pa.Array) -> Iterator[str | None]:
    for value in column.to_pylist():
        if value is not None and not isinstance(value, str | int):
            raise InvalidInput("embedding_labels", "The column of labels must hold strings or integers.")
        text = "" if value is None else str(value).strip().replace("\0", "")
        if len(text) > MAX_TEXT_LENGTH:
            raise InvalidInput("embedding_labels", f"A label has at most {MAX_TEXT_LENGTH} letters.")
        yield text or None


def _is_of_names(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _names(column: pa.Array) -> Iterator[str | None]:
    for value in column.to_pylist():
        yield None if value is None else str(value)[-LONGEST_NAME:].strip() or None


def answer(path: Path, scratch: Path, limits: Limits) -> dict[str, Any]:
    """What `convert` gives, or the code and message of what is wrong."""
    too_large = {
        "code": "embedding_file_too_large",
        "message": "Reading the file takes more memory or room than is allowed; send it as .npy.",
    }
    try:
        return convert(path, scratch, limits)
    except InvalidInput as error:
        return {"code": error.code, "message": error.message}
    except (MemoryError, pa.ArrowMemoryError):
        return too_large
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC):
            return too_large
        reason = str(error).partition("\n")[0][:200].replace(str(path), "it")
        return {"code": "embedding_file_corrupt", "message": f"The parquet file cannot be read: {reason}"}


def main(arguments: list[str]) -> None:
    """Read one file; the arguments are those of `convert_parquet`."""
    path, scratch, rows, columns, file_bytes, memory_bytes, cpu_seconds = arguments
    pa.set_cpu_count(1)
    limit_resources(int(memory_bytes), int(file_bytes))
    limit_cpu(float(cpu_seconds))
    print(json.dumps(answer(Path(path), Path(scratch), Limits(int(rows), int(columns)))))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
