"""Files of labels that a process of its own reads, from both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from pouf_core.contract.labels import LabelFileFormat
from pouf_core.data.labels.files import label_pairs
from pouf_core.data.labels.rows import NumberedLabels, row_labels
from pouf_core.data.labels.tables import Rows
from pouf_core.data.reading.answers import Answer
from pouf_core.data.reading.protocol import LabelPairsQuestion, RowLabelsQuestion
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.text_rows import LONGEST_LABEL

_Label = Annotated[str, Field(max_length=LONGEST_LABEL, pattern="^[^\0]*$")]
_BOOL = TypeAdapter(bool)
_FORMAT: TypeAdapter[LabelFileFormat | None] = TypeAdapter(LabelFileFormat | None)
_PAIRS: TypeAdapter[Rows] = TypeAdapter(list[tuple[str, _Label]])
_NUMBERED: TypeAdapter[NumberedLabels] = TypeAdapter(list[tuple[Annotated[int, Field(ge=0, lt=2**63)], _Label | None]])


def answer_label_pairs(question: LabelPairsQuestion, source: Path | bytes, answer: Answer) -> None:
    """Give the files and labels of a file; raises as `label_pairs`."""
    found = label_pairs(question.suffix, _content(source), question.most_rows, question.says_so, question.label_column)
    answer.about(found and found[0])
    for file, label in found[1] if found else ():
        answer.row((file, label), len(file) + len(label))


def label_pairs_of(
    reader: FileReader, suffix: str, data: bytes, most_rows: int, says_so: bool, *, label_column: str | None = None
) -> tuple[LabelFileFormat, Rows] | None:
    """As `label_pairs`, by the reader's process; raises as `texts_of`."""
    question = LabelPairsQuestion(
        **reader.asked(data), suffix=suffix, most_rows=most_rows, says_so=says_so, label_column=label_column
    )
    form, pairs = reader.gathered(question, data, _FORMAT.validate_json, _PAIRS.validate_json, most_rows)
    return None if form is None else (form, pairs)


def answer_row_labels(question: RowLabelsQuestion, source: Path | bytes, answer: Answer) -> None:
    """Give the labels of rows; raises as `row_labels`."""
    is_indexed, rows = row_labels(_content(source), question.most_rows)
    answer.about(is_indexed)
    for number, label in rows:
        answer.row((number, label), len(label or ""))


def row_labels_of(reader: FileReader, data: bytes, most_rows: int) -> tuple[bool, NumberedLabels]:
    """As `row_labels`, by the reader's process; raises as `texts_of`."""
    question = RowLabelsQuestion(**reader.asked(data), most_rows=most_rows)
    is_indexed, rows = reader.gathered(question, data, _BOOL.validate_json, _NUMBERED.validate_json, most_rows)
    return bool(is_indexed), rows


def _content(source: Path | bytes) -> bytes:
    return source.read_bytes() if isinstance(source, Path) else source
