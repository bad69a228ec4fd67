"""Predictions as files: each format writes items as they come, so that their number does not matter."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, islice
from typing import Any, TypeVar

from app.http.errors import ApiError
from app.predicted.schemas import FormatName, PredictedItem
from pouf_core.contract.base_model import Modality
from pouf_core.data.spreadsheet_cells import cell

AT_ONCE = 500
T = TypeVar("T")


@dataclass(frozen=True)
class Export:
    """What formats say beside the items.

    Attributes:
        modality: of the items.
        pairs: whether they are pairs of texts.
        model: id of the model that predicted.
        raw: whether cells of CSV stay as they are.
    """

    modality: Modality
    pairs: bool
    model: str | None
    raw: bool

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of texts."""
        if self.modality != "text":
            return ()
        return ("text", "text_pair") if self.pairs else ("text",)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tables."""
        return (
            *("name", "sha256", *self.text_columns, "label", "probability", "runner_up", "runner_up_probability"),
            *("margin", "zero_shot_label", "changed", "action"),
        )


Write = Callable[[Iterable[PredictedItem], Export], Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """How predictions are written, and how the file is called."""

    media_type: str
    suffix: str
    write: Write


def _csv(items: Iterable[PredictedItem], export: Export) -> Iterator[bytes]:
    return table(export.columns, (_values(item, export.columns) for item in items), raw=export.raw)


def _hugging_face(items: Iterable[PredictedItem], export: Export) -> Iterator[bytes]:
    """`metadata.csv` of an ImageFolder; of texts, a table of texts and labels."""
    columns = (*export.text_columns, "label") if export.modality == "text" else ("file_name", "label")
    rows = (_values(item, export.text_columns or ("name",)) + [item.label] for item in items)
    return table(columns, rows, raw=export.raw)


def table(columns: Iterable[str], rows: Iterable[list[Any]], *, raw: bool = False) -> Iterator[bytes]:
    """Write CSV some rows at a time; unless `raw`, what begins like a formula gets an apostrophe."""
    # The heading goes out before the first rows are looked for, which may lie far apart.
    for part in chain([[list(columns)]], _batches(rows, AT_ONCE)):
        buffer = io.StringIO()
        csv.writer(buffer).writerows([_cell(value, raw) for value in row] for row in part)
        yield buffer.getvalue().encode()


def _cell(value: Any, raw: bool) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return cell(value) if isinstance(value, str) and not raw else value


def _json_lines(items: Iterable[PredictedItem], export: Export) -> Iterator[bytes]:
    for part in _batches(items, AT_ONCE):
        yield "".join(f"{_dump(_record(item, export))}\n" for item in part).encode()


def _label_studio(items: Iterable[PredictedItem], export: Export) -> Iterator[bytes]:
    """Tasks with predictions, for a labelling configuration with `<Choices name="label" toName="item">`.

    Their data have no `label`: in Label Studio's tables that is what a person chose, or else what the data had.
    """
    yield b"["
    before = b"\n"
    for part in _batches(items, AT_ONCE):
        yield before + ",\n".join(_dump(_task(item, export)) for item in part).encode()
        before = b",\n"
    yield b"\n]\n"


def _task(item: PredictedItem, export: Export) -> dict[str, Any]:
    data = _record(item, export)
    data["predicted_label"] = data.pop("label")
    if export.modality == "image":
        data["image"] = item.name
    choice = {"from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": [item.label]}}
    prediction = {"model_version": export.model or "", "score": item.probability, "result": [choice]}
    return {"data": data, "predictions": [prediction] if item.label is not None else []}


def _parquet(items: Iterable[PredictedItem], export: Export) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    numbers = {"probability", "runner_up_probability", "margin"}
    types = {name: pa.float32() if name in numbers else pa.string() for name in export.columns}
    schema = pa.schema({**types, "changed": pa.bool_()})
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        yield sink.take()
        # Lists of Python's would have pyarrow import pandas, where it is installed, which takes 42 MiB.
        asked = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
        for lines in _json_lines(items, export):
            whole = pj.ReadOptions(use_threads=False, block_size=len(lines))
            writer.write_table(pj.read_json(pa.BufferReader(lines), whole, asked))
            pa.default_memory_pool().release_unused()  # else it keeps tens of MiB that no row needs
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Holds what was written since it was last taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, content: Any) -> int:
        self._parts.append(bytes(content))
        self._position += len(self._parts[-1])
        return len(self._parts[-1])

    def take(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    return iter(lambda: list(islice(rest, size)), [])


def _record(item: PredictedItem, export: Export) -> dict[str, Any]:
    return dict(zip(export.columns, _values(item, export.columns), strict=True))


def _values(item: PredictedItem, columns: Iterable[str]) -> list[Any]:
    return [getattr(item, name) for name in columns]


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


FORMATS: dict[FormatName, Format] = {
    "csv": Format("text/csv; charset=utf-8", "csv", _csv),
    "jsonl": Format("application/jsonl", "jsonl", _json_lines),
    "parquet": Format("application/vnd.apache.parquet", "parquet", _parquet),
    "label_studio": Format("application/json", "label-studio.json", _label_studio),
    "huggingface": Format("text/csv; charset=utf-8", "metadata.csv", _hugging_face),
}


def format_of(name: FormatName) -> Format:
    """Return the format of a file; raises 501 ``parquet_not_installed``."""
    if name == "parquet" and find_spec("pyarrow") is None:
        message = "Parquet needs the package pyarrow on the server; ask for another format."
        raise ApiError(501, "parquet_not_installed", message)
    return FORMATS[name]
