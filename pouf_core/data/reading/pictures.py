"""Tables of pictures that a process of its own reads, from both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from pouf_core.data.file_kinds import ArrowForm
from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.picture_tables import PictureRow, read_pictures
from pouf_core.data.reading.answers import Answer
from pouf_core.data.reading.protocol import Code, Kind, PicturesQuestion
from pouf_core.data.reading.reader import CRASHED, FileReader
from pouf_core.data.text_rows import LONGEST_LABEL
from pouf_core.errors import InvalidInput

_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Name = Annotated[str, Field(max_length=LONGEST_NAME)]
_Label = Annotated[str, Field(max_length=LONGEST_LABEL, pattern="^[^\0]*$")]
_RowJson = tuple[_Count, _Name | None, _Label | None, bool, _Count | None]
_ROWS: TypeAdapter[list[_RowJson]] = TypeAdapter(list[_RowJson])


class _Unclear(BaseModel):
    """Why the rows have no labels."""

    code: Code
    message: str


def answer_pictures(question: PicturesQuestion, source: Path | bytes, answer: Answer) -> None:
    """Give the rows, each behind its picture; raises as `read_pictures`."""
    assert isinstance(source, Path)
    unclear, rows = read_pictures(source, question.form, question.label_column, question.most_bytes)
    if unclear is not None:
        answer.about({"code": unclear.code, "message": unclear.message})
    for row in rows:
        answer.row_with_file((row.position, row.name, row.label, row.content is not None, row.size), row.content or b"")


def pictures_of(
    reader: FileReader,
    path: Path,
    form: ArrowForm,
    label_column: str | None,
    most_bytes: int,
    on_unclear: Callable[[InvalidInput], None],
) -> Iterator[PictureRow]:
    """As `read_pictures`, by the reader's process; `on_unclear` is told of why no row has a label.

    Raises:
        InvalidInput: as `read_pictures` and `FileReader.answers`.
        ReaderUnavailable: no file can be read.
    """
    question = PicturesQuestion(**reader.asked(path, 0), form=form, label_column=label_column, most_bytes=most_bytes)
    content = bytearray()
    for part in reader.answers(question, path, _parsed):
        if isinstance(part, _Unclear):
            on_unclear(InvalidInput(part.code, part.message))
        elif isinstance(part, bytes):
            content += part
            if len(content) > most_bytes:
                raise InvalidInput(CRASHED, "The file ends the process that reads it.")
        else:
            for row, holds_content in part:
                yield replace(row, content=bytes(content)) if holds_content else row
            content.clear()


def _parsed(kind: Kind, content: bytes) -> _Unclear | bytes | list[tuple[PictureRow, bool]]:
    if kind is Kind.ABOUT:
        return _Unclear.model_validate_json(content)
    if kind is Kind.PIECE:
        return content
    return [
        (PictureRow(position, name, label, None, size), holds_content)
        for position, name, label, holds_content, size in _ROWS.validate_json(content)
    ]
