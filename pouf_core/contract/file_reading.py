"""How a file of texts was read, for people to check before anything is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pouf_core.contract.document import STORED

SHOWN_ROWS = 3
SHOWN_CHARACTERS = 200


def shown_text(text: str) -> str:
    """A text as it is shown: its beginning, fit for databases."""
    return text[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode().replace("\0", "")


class ReadRow(BaseModel):
    """A text as it was read, cut at `SHOWN_CHARACTERS`, and its label."""

    model_config = STORED

    text: str
    text_pair: str | None = None
    label: str | None = None


class FileReading(BaseModel):
    """How one file was read."""

    model_config = STORED

    file: str
    encoding: Annotated[str | None, Field(description="Null where the format decides: workbooks, parquet.")] = None
    encoding_confidence: Annotated[
        float, Field(ge=0, le=1, description="1 where the file says it, or is UTF-8 throughout.")
    ] = 1.0
    sheet: Annotated[str | None, Field(description="Of a workbook, the one that was read.")] = None
    delimiter: Annotated[str | None, Field(description="Of a table; empty where each row is one cell.")] = None
    quote: Annotated[str | None, Field(description="Of a table; empty where there are none.")] = None
    skipped_lines: Annotated[int, Field(ge=0, description="Lines before the table.")] = 0
    header: Annotated[list[str] | None, Field(description="The first row, where it names the columns.")] = None
    text_column: Annotated[int | None, Field(description="Of a table, from 0.")] = None
    text_pair_column: int | None = None
    label_column: int | None = None
    rows: Annotated[int, Field(ge=0, description="Texts and rejected rows, without the header.")] = 0
    rejected_rows: Annotated[int, Field(ge=0)] = 0
    first_rows: list[ReadRow] = []


class ColumnCandidate(BaseModel):
    """A column that may hold the texts of a table that does not tell.

    Attributes:
        column: its number, from 0, which `text_column` takes.
        heading: what the header calls it, which `text_column` takes too; None without a header.
        examples: the first cells, cut.
    """

    model_config = STORED

    column: Annotated[int, Field(ge=0)]
    heading: str | None
    examples: list[str]

    def in_words(self) -> str:
        """For people."""
        heading = "" if self.heading is None else f" ({self.heading})"
        examples = ", ".join(repr(example) for example in self.examples)
        return f"Column {self.column}{heading}" + (f", such as {examples}" if examples else ", which is empty")


class TextFileOptions(BaseModel):
    """What a caller says of files of texts beside the names of columns; null leaves it to be told by the file."""

    model_config = ConfigDict(extra="forbid")

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
