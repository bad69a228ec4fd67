"""Arrays that lie in files, read block by block: nothing of a file is unpickled, and little of it is in memory."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pouf_core.errors import InvalidInput

BLOCK_BYTES = 8 * 1024**2
CORRUPT = "embedding_file_corrupt"
#: `npy_header` needs no more of a file; numpy itself takes no longer header.
HEADER_BYTES = 16 * 1024
#: What numpy raises on headers that are none.
_HEADER_DAMAGE = (
    ValueError,
    TypeError,
    SyntaxError,
    KeyError,
    OverflowError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)
_NUMBERS = "fiu"


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, of which only the header was read.

    Attributes:
        name: what messages call it.
        path: the file.
        offset: where its numbers begin, in bytes.
        dtype: of its elements, in any byte order.
        shape: of any number of dimensions.
        fortran: whether the first index changes fastest.
        bfloat16: whether its elements, 16-bit integers to numpy, are the upper halves of float32.
    """

    name: str
    path: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool = False
    bfloat16: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers, as the header has it."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def may_be_vectors(self) -> bool:
        """Whether its elements are floats in two or three dimensions, unlike ids, names and counts."""
        return len(self.shape) in (2, 3) and (self.dtype.kind == "f" or self.bfloat16)

    def check_size(self, data_bytes: int) -> None:
        """Raise `embedding_file_corrupt` unless the numbers take exactly this many bytes."""
        if self.nbytes != data_bytes:
            message = f"The header of {self.name} says {self.nbytes:,} bytes of numbers, and there are {data_bytes:,}."
            raise InvalidInput(CORRUPT, message)

    def check_numbers(self) -> None:
        """Raise `pickled_array` of Python objects, `embedding_dtype` of what are no real numbers."""
        check_no_objects(self.name, self.dtype)
        if self.dtype.kind not in _NUMBERS:
            message = f"{self.name} holds {self.dtype}; save float32, another float or an integer type."
            raise InvalidInput("embedding_dtype", message)

    def at(self, path: Path, offset: int) -> StoredArray:
        """The same array in another file."""
        return replace(self, path=path, offset=offset)

    def beginning(self, rows: int | None) -> StoredArray:
        """At most so many rows of an array [n, d] that lie at its beginning; the array where they do not."""
        if rows is None or len(self.shape) != 2 or self.fortran or self.shape[0] <= rows:
            return self
        return replace(self, shape=(rows, self.shape[1]))

    def read(self) -> NDArray[Any]:
        """All of it, for small arrays."""
        return np.array(self.mapped())

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[NDArray[Any]]:
        """Rows [b, d] of an array [n, d], or of [T, K, d] as T·K rows, in order, in the machine's byte order."""
        outer, rows, width = self.shape if len(self.shape) == 3 else (1, *self.shape)
        step = max(1, block_bytes // max(1, width * self.dtype.itemsize))
        for index in range(outer):
            for start in range(0, rows, step):
                # mapped anew each time, since pages that were read count as this process's memory until then
                mapped = self.mapped()
                part = mapped[index, start : start + step] if len(self.shape) == 3 else mapped[start : start + step]
                yield self._native(part)

    def mapped(self, mode: Literal["r", "c"] = "r") -> NDArray[Any]:
        """The array in its file, read as it is used; with `c` it can be changed, which the file does not see."""
        if self.nbytes == 0:  # which no system maps
            return np.empty(self.shape, self.dtype)
        mapped: NDArray[Any] = np.memmap(
            self.path, self.dtype, mode, offset=self.offset, shape=self.shape, order="F" if self.fortran else "C"
        )
        return mapped

    def _native(self, part: NDArray[Any]) -> NDArray[Any]:
        block = np.array(part, dtype=self.dtype.newbyteorder("="), order="C")
        return (block.astype(np.uint32) << 16).view(np.float32) if self.bfloat16 else block


def check_no_objects(name: str, dtype: np.dtype[Any]) -> None:
    """Raise `pickled_array` of Python objects."""
    if dtype.hasobject:
        message = f"{name} holds Python objects, which would have to be unpickled and are never loaded; save numbers."
        raise InvalidInput("pickled_array", message)


def npy_header(head: bytes, name: str, path: Path) -> StoredArray:
    """The array that a `.npy` file holds, from the file's first `HEADER_BYTES` bytes.

    Raises:
        InvalidInput: `embedding_file_corrupt`.
    """
    stream = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except _HEADER_DAMAGE as error:
        message = f"{name} is no array that numpy saved: {_first_line(error)}."
        raise InvalidInput(CORRUPT, message) from error
    if any(length < 0 for length in shape):
        raise InvalidInput(CORRUPT, f"The header of {name} says that an axis has a negative length.")
    return StoredArray(name, path, stream.tell(), dtype, tuple(map(int, shape)), bool(fortran))


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200].rstrip(".") or type(error).__name__
