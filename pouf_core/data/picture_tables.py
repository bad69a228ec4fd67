"""Pictures in tables of parquet and of Arrow's own formats, as Hugging Face's `datasets` write them.

They are read row by row, in a process of their own (`reading.pictures`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pouf_core.contract.findings import listed
from pouf_core.data.arrow_tables import (
    class_names,
    damaged,
    holds_files,
    is_single,
    named,
    opened_arrow,
    parts_of,
    picture_columns,
)
from pouf_core.data.file_kinds import ArrowForm
from pouf_core.data.headings import FILES, PICTURE_LABELS, folded
from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.labels.tables import AMBIGUOUS, NO_SUCH_COLUMN, unreadable
from pouf_core.data.sheet_cells import check_width, texts_of
from pouf_core.data.text_rows import label_of
from pouf_core.errors import InvalidInput


@dataclass(frozen=True)
class PictureRow:
    """A row: what its picture is called, its label, and the picture's file.

    Attributes:
        position: of the row, from 1.
        content: None where there is none, or more than may be read.
        size: of the content in bytes, if there is any.
    """

    position: int
    name: str | None
    label: str | None
    content: bytes | None
    size: int | None


def read_pictures(
    path: Path, form: ArrowForm, label_column: str | None, most_bytes: int
) -> tuple[InvalidInput | None, Iterator[PictureRow]]:
    """The rows, and why none of them has a label where it cannot be told which column holds these.

    Args:
        path: of the file.
        form: what it is.
        label_column: the heading of the column with labels.
        most_bytes: of a picture that is read.

    Raises:
        InvalidInput: `malformed_table`.
    """
    schema, batches = opened_arrow(path, form)
    check_width(len(schema))
    pictures = _picture_column(picture_columns(schema, batches))
    classes = class_names(schema.metadata or {})
    others = [field.name for field in schema if is_single(field) and schema.names.count(field.name) == 1]
    try:
        label, unclear = _label_column(others, classes, label_column), None
    except InvalidInput as error:
        label, unclear = None, error
    name = next((one for one in others if folded(one) in FILES and one != label), None)
    columns = [pictures, *filter(None, (label, name))]

    def rows() -> Iterator[PictureRow]:
        position = 0
        with damaged(path):
            for batch in batches(columns):
                for part in parts_of(batch):
                    for cells in zip(*(_cells(part, one) for one in (pictures, label, name)), strict=True):
                        position += 1
                        yield _row(position, cells, classes.get(label or ""), most_bytes)

    return unclear, rows()


def _picture_column(columns: list[str]) -> str:
    headed = [name for name in columns if folded(name) in FILES]
    if len(columns) > 1 and len(headed) != 1:
        message = f"Several columns of the file hold pictures: {listed(columns)}. Leave all but one out."
        raise InvalidInput("malformed_table", message)
    if not columns:
        raise InvalidInput("malformed_table", "No column of the file holds pictures.")
    return (headed or columns)[0]


def _label_column(columns: list[str], classes: dict[str, list[str]], asked: str | None) -> str | None:
    """The column with labels: as asked, by its heading, or the only one of which the names of classes are told."""
    if asked is not None:
        found = next((name for name in columns if name == asked), None)
        found = found or next((name for name in columns if folded(name) == folded(asked)), None)
        if found is None:
            raise unreadable(
                f"It has no column {asked!r} with labels; its columns are {listed(columns)}.", NO_SUCH_COLUMN
            )
        return found
    headings = {folded(name): name for name in reversed(columns)}
    headed = next((headings[heading] for heading in PICTURE_LABELS if heading in headings), None)
    if headed is not None:
        return headed
    of_classes = [name for name in columns if name in classes]
    if len(of_classes) > 1:
        shown = listed(of_classes)
        raise unreadable(f"The labels may be in several columns: {shown}. Name one as label_column.", AMBIGUOUS)
    return next(iter(of_classes), None)


def _cells(batch: Any, column: str | None) -> Iterator[Any]:
    """The values of a column one by one, of files a pair of bytes and path: all of them together may be large."""
    import pyarrow as pa

    if column is None:
        return iter([None] * batch.num_rows)
    values = batch.column(column)
    if not holds_files(values.type):
        return iter(values.to_pylist())
    if not pa.types.is_struct(values.type):
        return ((cell, None) for cell in values)
    parts = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
    paths = parts.get("path")
    return zip(parts["bytes"], [None] * len(values) if paths is None else paths.to_pylist(), strict=True)


def _row(position: int, cells: tuple[Any, Any, Any], names: list[str] | None, most_bytes: int) -> PictureRow:
    (picture, path), label, name = cells
    buffer = picture.as_buffer() if picture.is_valid else None
    size = None if buffer is None else buffer.size
    content = buffer.to_pybytes() if buffer is not None and buffer.size <= most_bytes else None
    called = texts_of([path if path else name])[0][-LONGEST_NAME:] or None
    said = label_of(texts_of([named(label, names)])[0])
    return PictureRow(position, called, said, content, size)
