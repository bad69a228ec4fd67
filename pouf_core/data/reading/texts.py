"""Texts that a process of its own reads, from both sides."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from pouf_core.contract.file_reading import shown_text
from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.losses import GUESSED_BYTES, Lost, Undecoded
from pouf_core.data.reading.answers import Answer, Json
from pouf_core.data.reading.protocol import Code, Kind, TextsQuestion
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.sheets import ReadingLimits
from pouf_core.data.text_files import Reading, TextOptions, read_texts
from pouf_core.data.text_rows import LONGEST_LABEL, BadRow, Row, TextRow
from pouf_core.data.texts import check_text

_SHOWN_COLUMNS = 1000
_UndecodedJson = tuple[Annotated[str, Field(max_length=2 * GUESSED_BYTES)], str]
_BadRowJson = tuple[Code, str, Lost, _UndecodedJson | None]
_Name = Annotated[str, Field(max_length=LONGEST_NAME)]
_RowJson = tuple[
    Annotated[int, Field(ge=0, lt=2**63)], str | None, str | None, str | None, _Name | None, _BadRowJson | None
]
_ROWS: TypeAdapter[list[_RowJson]] = TypeAdapter(list[_RowJson])
_READING = TypeAdapter(Reading)


def answer_texts(question: TextsQuestion, source: Path | bytes, answer: Answer) -> None:
    """Give the rows of a file of texts; raises as `read_texts`."""
    options = TextOptions(
        question.text_column, question.label_column, question.delimiter, question.header, question.encoding
    )
    limits = ReadingLimits(question.memory_bytes, question.cpu_seconds)
    opened = source if isinstance(source, Path) else BytesIO(source)
    for row in read_texts(opened, question.name, options, lambda reading: answer.about(_about(reading)), limits):
        answer.row(*_written(row))


def texts_of(
    reader: FileReader,
    source: Path | bytes,
    name: str,
    options: TextOptions,
    on_reading: Callable[[Reading], None] = lambda _: None,
) -> Iterator[Row]:
    """As `read_texts`, by the reader's process.

    Raises:
        InvalidInput: as `read_texts` and `FileReader.answers`.
        ReaderUnavailable: no file can be read.
    """
    question = TextsQuestion(
        **reader.asked(source),
        name=name,
        text_column=options.text_column,
        label_column=options.label_column,
        delimiter=options.delimiter,
        header=options.header,
        encoding=options.encoding,
    )
    for part in reader.answers(question, source, _parsed):
        if isinstance(part, Reading):
            on_reading(part)
        else:
            yield from part


def _about(reading: Reading) -> Json:
    table = reading.table
    if table is not None and table.names is not None:
        shown = tuple(shown_text(name) for name in table.names[:_SHOWN_COLUMNS])
        reading = replace(reading, table=replace(table, names=shown))
    return _READING.dump_python(reading)


def _written(row: Row) -> tuple[Json, int]:
    """A row as JSON, and its characters."""
    if isinstance(row, TextRow):
        given = (row.position, row.text, row.text_pair, row.label, row.name, None)
        return given, sum(len(part or "") for part in given[1:5])
    undecoded = row.undecoded and (row.undecoded.content[:GUESSED_BYTES].hex(), row.undecoded.encoding)
    characters = len(row.message) + (len(undecoded[0]) if undecoded else 0)
    return (row.position, None, None, None, None, (row.code, row.message, row.lost, undecoded)), characters


def _parsed(kind: Kind, content: bytes) -> Reading | list[Row]:
    if kind is Kind.ABOUT:
        return _READING.validate_json(content)
    return [_row(*row) for row in _ROWS.validate_json(content)]


def _row(
    position: int,
    text: str | None,
    pair: str | None,
    label: str | None,
    name: str | None,
    bad: _BadRowJson | None,
) -> Row:
    """A row, which a process that a file has taken over may have made up."""
    if bad is not None:
        code, message, lost, undecoded = bad
        return BadRow(position, code, message, lost, _undecoded(*undecoded) if undecoded else None)
    if text is None or (label is not None and ("\0" in label or len(label) > LONGEST_LABEL)):
        raise ValueError("no row")
    for one in (text, pair):
        if one is not None:
            check_text(one)
    return TextRow(position, text, label, pair, name)


def _undecoded(content: str, encoding: str) -> Undecoded:
    return Undecoded(bytes.fromhex(content), codecs.lookup(encoding).name)
