"""Tables in parquet and in Arrow's own formats, read row by row in a process of their own (`sheet_process`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from pouf_core.contract.base_model import Modality
from pouf_core.contract.findings import listed
from pouf_core.data.file_kinds import ArrowForm
from pouf_core.data.headings import LABELS, folded
from pouf_core.data.picture_marks import HEAD_OF_PICTURE, is_picture
from pouf_core.data.sheet_cells import check_width, texts_of
from pouf_core.data.text_rows import LONGEST_LABEL
from pouf_core.errors import InvalidInput

_BATCH_ROWS, _BATCH_BYTES = 128, 32 * 1024**2
_BUFFER_BYTES = 1024**2
_INDEX_OF_PANDAS = "__index_level_"
_FILE_MAGIC = b"ARROW1"
Batches: TypeAlias = Callable[[list[str]], Iterable[Any]]


def read_arrow(path: Path, form: ArrowForm) -> tuple[dict[str, Any], Iterator[list[str]]]:
    """The names of the columns that hold single values, as the first row, and the rows.

    Raises:
        InvalidInput: `malformed_table`.
    """
    schema, batches = opened_arrow(path, form)
    single = [field.name for field in schema if is_single(field)]
    check_width(len(single))
    if len(set(single)) != len(single):
        raise InvalidInput("malformed_table", "Two columns of the file have the same name.")
    beside = LABELS if _of_files(schema) else ()  # where labels are no texts, however they are written
    if not any(_is_text(schema.field(name).type) and folded(name) not in beside for name in single):
        message = f"No column of the file holds texts; its columns are: {listed(schema.names)}.{_advice(schema)}"
        raise InvalidInput("malformed_table", message)
    return {"sheet": None, "unread": [], "skipped": 0}, chain([single], _rows(batches, schema, single, path))


def opened_arrow(path: Path, form: ArrowForm) -> tuple[Any, Batches]:
    """The schema of a file, and what reads some of its columns, some rows at a time.

    Raises:
        InvalidInput: `malformed_table`.
    """
    import pyarrow as pa

    pa.set_cpu_count(1)
    try:
        return (_opened_parquet if form == "parquet" else _opened_ipc)(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("malformed_table", f"The {form} file cannot be read: {_first_line(error, path)}") from error


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Raise `InvalidInput` `malformed_table` for what goes wrong while rows are read."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:  # an ArrowException too
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("malformed_table", f"The file is damaged: {_first_line(error, path)}") from error


def _opened_parquet(path: Path) -> tuple[Any, Batches]:
    import pyarrow.parquet as pq

    def opened() -> Any:  # anew each time: a file keeps what it read
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)  # else a whole column of a group is read at once

    with opened() as file:
        rows, schema = _rows_at_once(file.metadata), file.schema_arrow
    return schema, lambda columns: opened().iter_batches(rows, columns=columns, use_threads=False)


def _opened_ipc(path: Path) -> tuple[Any, Batches]:
    """Of a stream, as `datasets` saves one, or of a file with an index, as Feather is."""
    import pyarrow as pa

    source = pa.memory_map(str(path))
    if source.read(len(_FILE_MAGIC)) == _FILE_MAGIC:
        file = pa.ipc.open_file(source)
        numbers = range(file.num_record_batches)
        return file.schema, lambda columns: (file.get_batch(number).select(columns) for number in numbers)

    def stream() -> Any:
        source.seek(0)
        return pa.ipc.open_stream(source)

    return stream().schema, lambda columns: (batch.select(columns) for batch in stream())


def _advice(schema: Any) -> str:
    """What to do with a table of pictures or other files, and with embeddings."""
    files = _of_files(schema)
    if not files:
        vectors = any(_is_vector(one.type) for one in schema)
        return " Save embeddings as .parquet or .npy, which are read as such." if vectors else ""
    said = "pictures are read with the modality `image`; save others as files of a kind that is read, and send these"
    return f" {files[0][:100]} holds files: {said}."


def picture_columns(schema: Any, batches: Batches) -> list[str]:
    """The columns whose first file is a picture."""
    return [name for name in _of_files(schema) if is_picture(_first_file(schema, batches, name))]


def _of_files(schema: Any) -> list[str]:
    return [one.name for one in schema if holds_files(one.type) and schema.names.count(one.name) == 1]


def holds_files(kind: Any) -> bool:
    """Whether a column is of files: bytes, or Hugging Face's structures of bytes and a path."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type)
    return _is_binary(kind)


def is_single(field: Any) -> bool:
    """Whether a column is of single values that a person reads."""
    import pyarrow as pa

    kind, is_index = field.type, field.name.startswith(_INDEX_OF_PANDAS)
    return not (pa.types.is_nested(kind) or _is_binary(kind) or is_index)


def _first_file(schema: Any, batches: Batches, column: str) -> bytes:
    """The beginning of the first file among the first rows; empty where there is none."""
    import pyarrow as pa

    for batch in islice(batches([column]), 1):
        values = batch.column(column)
        if pa.types.is_struct(values.type):
            values = values.flatten()[values.type.get_field_index("bytes")]
        first = next((cell for cell in values if cell.is_valid), None)
        return b"" if first is None else memoryview(first.as_buffer())[:HEAD_OF_PICTURE].tobytes()
    return b""


def _rows(batches: Batches, schema: Any, columns: list[str], path: Path) -> Iterator[list[str]]:
    names = class_names(schema.metadata or {})
    with damaged(path):
        for batch in batches(columns):
            for part in parts_of(batch):
                cells = [[named(value, names.get(name)) for value in part.column(name).to_pylist()] for name in columns]
                yield from (texts_of(row) for row in zip(*cells, strict=True))


def _rows_at_once(metadata: Any) -> int:
    """How many rows of a parquet file to hold at a time, by how large those of its groups are."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(largest, 1)))


def parts_of(batch: Any) -> Iterator[Any]:
    """A batch's rows, as many at a time as may be copied: a value that is stored once may stand in all of them."""
    rows = max(1, batch.num_rows * _BATCH_BYTES // max(batch.nbytes, _BATCH_BYTES))
    return (batch.slice(first, rows) for first in range(0, batch.num_rows, rows))


def kind_of_table(path: Path, form: ArrowForm) -> Modality:
    """What a file holds: pictures where one is of these, else embeddings where one is of lists of numbers.

    Else texts where one is of texts; a parquet file of numbers alone is of embeddings. Others count as texts, whose
    reader says what to do.

    Raises:
        InvalidInput: `malformed_table`.
    """
    schema, batches = opened_arrow(path, form)
    with damaged(path):
        if picture_columns(schema, batches):
            return "image"
    if form != "parquet":
        return "text"
    types = [field.type for field in schema]
    if any(map(_is_vector, types)):
        return "embedding"
    return "text" if any(map(_is_text, types)) or _of_files(schema) else "embedding"


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


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
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


def named(value: Any, names: list[str] | None) -> Any:
    """The name of a number of a class, where these are told; a number without a name is no class, as -1 is none."""
    if not names or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None


def _first_line(error: Exception, path: Path) -> str:
    return str(error).partition("\n")[0][:200].replace(str(path), "it")
