"""Files of embeddings whose headers, packings and labels a process of its own reads, from both sides.

It says where in which file the numbers lie; they are read here, since they need no parser.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pouf_core.contract.classes import MAX_TEXT_LENGTH
from pouf_core.data.embedding_files import EmbeddingFile, FileLimits, check_file, read_embeddings
from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.reading.answers import Answer
from pouf_core.data.reading.protocol import EmbeddingsQuestion
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.stored_arrays import CORRUPT, StoredArray
from pouf_core.errors import InvalidInput

_UNPACKED = re.compile(r"features\.(npy|bin)")
_Label = Annotated[str, Field(max_length=4 * MAX_TEXT_LENGTH, pattern="^[^\0]*$")]
_Name = Annotated[str, Field(max_length=4 * LONGEST_NAME)]
_Rows = list[tuple[_Label | None, _Name | None]]
_ROWS: TypeAdapter[_Rows] = TypeAdapter(_Rows)
_Count = Annotated[int, Field(ge=0, lt=2**62)]


class _Place(BaseModel):
    """Where the numbers lie: in the file, or in the scratch directory by name; the rest is as in `StoredArray`."""

    model_config = ConfigDict(extra="forbid")

    unpacked: str | None
    name: Annotated[str, Field(max_length=1000)]
    offset: _Count
    dtype: Annotated[str, Field(pattern="^[<>|][fiu][0-9]{1,2}$")]
    shape: Annotated[list[_Count], Field(min_length=2, max_length=3)]
    fortran: bool
    bfloat16: bool
    is_labelled: bool
    is_named: bool


def answer_embeddings(question: EmbeddingsQuestion, source: Path | bytes, answer: Answer) -> None:
    """Give the place of the numbers, and labels and names; raises as `read_embeddings`."""
    assert isinstance(source, Path)
    limits = FileLimits(
        rows=question.most_rows,
        unpacked_bytes=question.file_bytes,
        scratch=question.scratch,
        memory_bytes=question.memory_bytes,
        cpu_seconds=question.cpu_seconds,
        first_rows=question.first_rows,
    )
    found = read_embeddings(source, question.name, limits)
    array = found.array
    place = _Place(
        unpacked=None if array.path == source else array.path.name,
        name=array.name[:100],
        offset=array.offset,
        dtype=array.dtype.str,
        shape=list(array.shape),
        fortran=array.fortran,
        bfloat16=array.bfloat16,
        is_labelled=found.labels is not None,
        is_named=found.names is not None,
    )
    answer.about(place.model_dump())
    for label, name in zip_longest(found.labels or (), found.names or ()):
        answer.row((label, name), len(label or "") + len(name or ""))


def embeddings_of(reader: FileReader, path: Path, name: str, limits: FileLimits) -> EmbeddingFile:
    """As `read_embeddings`, by the reader's process, but for the numbers.

    Raises:
        InvalidInput: as `read_embeddings` and `FileReader.answers`.
        ReaderUnavailable: no file can be read.
    """
    question = EmbeddingsQuestion(
        **reader.asked(path, limits.unpacked_bytes),
        name=name,
        most_rows=limits.rows,
        first_rows=limits.first_rows,
        scratch=limits.scratch,
    )
    place, rows = reader.gathered(question, path, _Place.model_validate_json, _ROWS.validate_json, limits.rows)
    if place is None:
        raise InvalidInput(CORRUPT, "The file says nothing of its vectors.")
    labels = [label for label, _ in rows] if place.is_labelled else None
    names = [name for _, name in rows] if place.is_named else None
    found = EmbeddingFile(_array(place, path, limits.scratch), labels, names)
    check_file(found, limits)
    return found


def _array(place: _Place, path: Path, scratch: Path) -> StoredArray:
    """The array, which lies in the file or beside what was unpacked of it, and nowhere else."""
    if place.unpacked is not None and not _UNPACKED.fullmatch(place.unpacked):
        raise InvalidInput(CORRUPT, "The file is not unpacked where it should be.")
    file = path if place.unpacked is None else scratch / place.unpacked
    array = StoredArray(
        place.name, file, place.offset, np.dtype(place.dtype), tuple(place.shape), place.fortran, place.bfloat16
    )
    if array.offset + array.nbytes > file.lstat().st_size:
        raise InvalidInput(CORRUPT, f"{array.name} goes beyond the end of its file.")
    return array
