"""Where the tensors of an untrusted safetensors file lie."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pouf_core.data.stored_arrays import CORRUPT, StoredArray
from pouf_core.errors import InvalidInput

_LONGEST_HEADER = 8 * 1024**2
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
}
_FLOATS = ("F64", "F32", "F16", "BF16")


class _Tensor(BaseModel):
    """What a header says of a tensor; it lies between two places of the data behind the header."""

    dtype: Annotated[str, Field(max_length=20)]
    shape: list[Annotated[int, Field(ge=0)]]
    data_offsets: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


_HEADER: TypeAdapter[dict[str, _Tensor | dict[str, str]]] = TypeAdapter(dict[str, _Tensor | dict[str, str]])


class SafetensorsFile:
    """The header of a safetensors file, alone: the package's own reader maps the file, which may exceed all memory.

    Args:
        path: the file.

    Raises:
        InvalidInput: `embedding_file_corrupt`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                if length > _LONGEST_HEADER:
                    raise ValueError("its header is too long")
                self.entries = _tensors(stream.read(length))
            self._data = 8 + length
            end = max((tensor.data_offsets[1] for tensor in self.entries.values()), default=0)
            if self._data + end != path.stat().st_size:
                raise ValueError("its numbers do not end where it does")
        except (ValueError, struct.error) as error:
            raise InvalidInput(CORRUPT, f"The file is no safetensors file: {error}.") from error

    def may_be_vectors(self, name: str) -> bool:
        """As `StoredArray.may_be_vectors`, of a tensor."""
        tensor = self.entries[name]
        return len(tensor.shape) in (2, 3) and tensor.dtype in _FLOATS

    def array(self, name: str) -> StoredArray:
        """One of its tensors.

        Raises:
            InvalidInput: `embedding_dtype` of a type that numpy lacks, or `embedding_file_corrupt`.
        """
        tensor = self.entries[name]
        dtype = _DTYPES.get(tensor.dtype)
        if dtype is None:
            message = f"{name} holds {tensor.dtype}; save float32, another float or an integer type."
            raise InvalidInput("embedding_dtype", message)
        start, end = tensor.data_offsets
        array = StoredArray(
            name,
            self._path,
            self._data + start,
            np.dtype(dtype),
            tuple(tensor.shape),
            bfloat16=tensor.dtype == "BF16",
        )
        array.check_size(end - start)
        return array


def _tensors(header: bytes) -> Mapping[str, _Tensor]:
    """The tensors by name; raises `ValueError` where it is no header."""
    try:
        described = _HEADER.validate_json(header)
    except ValidationError as error:
        raise ValueError("its header describes no tensors") from error
    tensors = {name: said for name, said in described.items() if isinstance(said, _Tensor)}
    if described.keys() - tensors.keys() - {"__metadata__"}:
        raise ValueError("its header describes what is no tensor")
    return tensors
