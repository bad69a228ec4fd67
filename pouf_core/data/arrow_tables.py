"""Tables in parquet and in Arrow's own formats, read row by row in a process of their own (`sheet_process`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pouf_core.contract.findings import listed
from pouf_core.data.headings import LABELS, folded
from pouf_core.data.sheet_cells import check_width, texts_of
from pouf_core.data.text_rows import LONGEST_LABEL
from pouf_core.errors import InvalidInput

ArrowForm = Literal["parquet", "arrow", "feather"]
_BATCH_ROWS, _BATCH_BYTES = 128, 32 * 1024**2
_BUFFER_BYTES = 1024**2
_INDEX_OF_PANDAS = "__index_level_"
_FILE_MAGIC = b"ARROW1"
_Batches: TypeAlias = Callable[[list[str]], Iterable[Any]]


def read_arrow(path: Path, form: ArrowForm) -> tuple[dict[str, Any], Iterator[list[str]]]:
    """The names of the columns that hold single values, as the first row, and the rows.

    Raises:
        InvalidInput: `malformed_table`.
    """
    import pyarrow as pa

    pa.set_cpu_count(1)
    try:
        schema, batches = (_opened_parquet if form == "parquet" else _opened_arrow)(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("malformed_table", f"The {form} file cannot be read: {_first_line(error, path)}") from error
    single = [
        field.name
        for field in schema
        if not pa.types.is_nested(field.type)
        and not _is_binary(field.type)
        and not field.name.startswith(_INDEX_OF_PANDAS)
    ]
    check_width(len(single))
    if len(set(single)) != len(single):
        raise InvalidInput("malformed_table", "Two columns of the file have the same name.")
    beside = LABELS if _pictures(schema) else ()  # where labels are no texts, however they are written
    if not any(_is_text(schema.field(name).type) and folded(name) not in beside for name in single):
        message = f"No column of the file holds texts; its columns are: {listed(schema.names)}.{_advice(schema)}"
        raise InvalidInput("malformed_table", message)
    return {"sheet": None, "unread": [], "skipped": 0}, chain([single], _rows(batches, schema, single, path))


def _opened_parquet(path: Path) -> tuple[Any, _Batches]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)  # else a whole column of a group is read at once
    rows = _rows_at_once(file.metadata)
    return file.schema_arrow, lambda columns: file.iter_batches(rows, columns=columns, use_threads=False)


def _opened_arrow(path: Path) -> tuple[Any, _Batches]:
    """Of a stream, as `datasets` saves one, or of a file with an index, as Feather is."""
    import pyarrow as pa

    source = pa.memory_map(str(path))
    if source.read(len(_FILE_MAGIC)) == _FILE_MAGIC:
        file = pa.ipc.open_file(source)
        found = map(file.get_batch, range(file.num_record_batches))
        return file.schema, lambda columns: (batch.select(columns) for batch in found)
    source.seek(0)
    stream = pa.ipc.open_stream(source)
    return stream.schema, lambda columns: (batch.select(columns) for batch in stream)


def _advice(schema: Any) -> str:
    """What to do with pictures in a table, as Hugging Face has them, and with embeddings."""
    pictures = _pictures(schema)
    if not pictures:
        vectors = any(_is_vector(one.type) for one in schema)
        return " Save embeddings as .parquet or .npy, which are read as such." if vectors else ""
    return f" {pictures[0][:100]} holds pictures: save each as a file, in a folder of its class, and send these."


def _pictures(schema: Any) -> list[str]:
    """The columns with files, which are pictures nearly always."""
    import pyarrow as pa

    def holds_files(kind: Any) -> bool:
        return _is_binary(kind) or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)

    return [one.name for one in schema if holds_files(one.type)]


def _rows(batches: _Batches, schema: Any, columns: list[str], path: Path) -> Iterator[list[str]]:
    import pyarrow as pa

    names = _class_names(schema.metadata or {})
    try:
        for batch in batches(columns):
            for part in _parts(batch):
                cells = [
                    [_named(value, names.get(name)) for value in part.column(name).to_pylist()] for name in columns
                ]
                yield from (texts_of(row) for row in zip(*cells, strict=True))
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
    """What a parquet file holds by its columns: `embedding` where one is of lists of numbers, or all are numbers.

    One with pictures, which is not read, counts as texts: their reader says what to do.
    """
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    types = [field.type for field in schema]
    if any(map(_is_vector, types)):
        return "embedding"
    return "text" if any(map(_is_text, types)) or _pictures(schema) else "embedding"


def _is_vector(kind: Any) -> bool:
    """Whether a column is of lists of numbers."""
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return bool(types.is_floating(kind.value_type) or types.is_integer(kind.value_type))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


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


def _first_line(error: Exception, path: Path) -> str:
    return str(error).partition("\n")[0][:200].replace(str(path), "it")
