"""What the process that reads files is asked, and by which bytes it answers."""

from __future__ import annotations

import struct
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pouf_core.contract.file_reading import ColumnCandidate
from pouf_core.data.file_kinds import ArrowForm

READY = b"ready\n"
#: Bytes of the question, as JSON, and of the file, where it comes with the question.
REQUEST = struct.Struct(">QQ")
#: What comes, see `Kind`, and its bytes.
ANSWER = struct.Struct(">BI")
#: More than the longest row takes, by far.
LONGEST_ANSWER = 16 * 1024**2
#: A file may take its seconds anew for so many bytes, and for each so many answers with rows.
BYTES_PER_ALLOWANCE = 32 * 1024**2
ANSWERS_PER_ALLOWANCE = 20


class Kind(IntEnum):
    """What an answer holds: what to know before the rows, rows, nothing more, why the file is refused, or a fault.

    Pieces are bytes of a file that the next row holds.
    """

    ABOUT = 0
    ROWS = 1
    END = 2
    REFUSED = 3
    FAULT = 4
    PIECE = 5


class Question(BaseModel):
    """What is asked of a file.

    Attributes:
        path: of the file; None where it comes with the question.
        size: of the file, in bytes.
        memory_bytes, cpu_seconds: what reading it may take, in each process.
        file_bytes: largest file that may be written to work with.
    """

    model_config = ConfigDict(extra="forbid")

    path: Path | None
    size: int
    memory_bytes: int
    cpu_seconds: float
    file_bytes: int

    @property
    def seconds(self) -> float:
        """Seconds of computing, for the first rows, and anew for others."""
        return self.cpu_seconds * (1 + self.size // BYTES_PER_ALLOWANCE)


class TextsQuestion(Question):
    """As `read_texts`."""

    task: Literal["texts"] = "texts"
    name: str
    text_column: str | None
    label_column: str | None
    delimiter: str | None
    header: bool | None
    encoding: str | None


class LabelPairsQuestion(Question):
    """As `label_pairs`."""

    task: Literal["label_pairs"] = "label_pairs"
    suffix: str
    most_rows: int
    says_so: bool
    label_column: str | None


class RowLabelsQuestion(Question):
    """As `row_labels`."""

    task: Literal["row_labels"] = "row_labels"
    most_rows: int


class EmbeddingsQuestion(Question):
    """As `read_embeddings`."""

    task: Literal["embeddings"] = "embeddings"
    name: str
    most_rows: int
    first_rows: int | None
    scratch: Path


class PicturesQuestion(Question):
    """As `read_pictures`."""

    task: Literal["pictures"] = "pictures"
    form: ArrowForm
    label_column: str | None
    most_bytes: int


AnyQuestion = TextsQuestion | LabelPairsQuestion | RowLabelsQuestion | EmbeddingsQuestion | PicturesQuestion
QUESTIONS: TypeAdapter[AnyQuestion] = TypeAdapter(Annotated[AnyQuestion, Field(discriminator="task")])

Code = Annotated[str, Field(max_length=100, pattern="^[a-z_]+$")]


class Refusal(BaseModel):
    """Why a file is refused; `candidates` are those of an `AmbiguousTable`."""

    code: Code
    message: str
    field: str | None = None
    candidates: list[ColumnCandidate] | None = None


class Fault(BaseModel):
    """An error of the system that no file is the cause of."""

    number: int
    said: str
