"""Files of embeddings: `.npy`, `.npz`, `.safetensors` and `.parquet`, checked before their numbers are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pouf_core.contract.counts import counted
from pouf_core.contract.item_limits import MAX_EMBEDDING_WIDTH
from pouf_core.data.beside_vectors import FEATURES, check_labels, choose, may_be_names, texts_of
from pouf_core.data.npz_files import opened_npz
from pouf_core.data.parquet_files import convert_parquet
from pouf_core.data.safetensors_files import SafetensorsFile
from pouf_core.data.stored_arrays import CORRUPT, HEADER_BYTES, StoredArray, npy_header
from pouf_core.data.vector_advice import how_to_save
from pouf_core.errors import InvalidInput


@dataclass(frozen=True)
class FileLimits:
    """What reading one file may take.

    Attributes:
        rows: most rows.
        unpacked_bytes: most bytes that a packed file may unpack to.
        scratch: a directory for what has to be unpacked; whoever names it removes it.
        memory_bytes, cpu_seconds: of the process that reads `.parquet`.
        first_rows: how many are wanted, of an array [n, d]; None for all.
    """

    rows: int
    unpacked_bytes: int
    scratch: Path
    memory_bytes: int
    cpu_seconds: float
    first_rows: int | None = None


@dataclass(frozen=True)
class EmbeddingFile:
    """A file of embeddings whose header is in order.

    Attributes:
        array: n vectors of d numbers: [n, d], or [T, K, d] with n = T·K.
        labels: an evaluation label for each of the n, or None.
        names: what each of the n is called, or None.
    """

    array: StoredArray
    labels: Sequence[str | None] | None = None
    names: Sequence[str | None] | None = None

    @property
    def width(self) -> int:
        """d."""
        return self.array.shape[-1]

    @property
    def templates(self) -> int | None:
        """T of an array [T, K, d]; None of an array [n, d]."""
        return self.array.shape[0] if len(self.array.shape) == 3 else None

    @property
    def count(self) -> int:
        """n."""
        return int(np.prod(self.array.shape[:-1], dtype=np.int64))

    def name_of(self, row: int) -> str:
        """Where one of the n vectors stands in the array: `17`, or `2,17`, both from 0."""
        if self.templates is None:
            return str(row)
        template, index = divmod(row, self.array.shape[1])
        return f"{template},{index}"

    def beginning(self, rows: int | None) -> EmbeddingFile:
        """As `StoredArray.beginning`, with labels and names."""
        cut = replace(self, array=self.array.beginning(rows))
        labels, names = (beside and beside[: cut.count] for beside in (self.labels, self.names))
        return replace(cut, labels=labels, names=names)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """The vectors in order, [b, d] at a time, as they are in the file."""
        return self.array.blocks()


def read_embeddings(path: Path, name: str, limits: FileLimits) -> EmbeddingFile:
    """Read the header of a file of embeddings, and unpack it where it is packed.

    Args:
        path: the file.
        name: its name, whose suffix says what it is. A `.npy` holds one array. A `.npz` or `.safetensors` holds the
            vectors as `features`, as its only array, or as its only one of floats in two or three dimensions; and,
            if any, evaluation labels as `labels` and names as `names` or `ids`. A `.parquet` holds them as a column of
            lists, named `features` or the only one, or as columns of numbers; labels as `label`, names as `name` or
            `id`.
        limits: what it may take.

    Raises:
        InvalidInput: `unknown_embedding_file`, `embedding_file_corrupt`, `embedding_file_too_large`, `pickled_array`,
            `several_arrays`, `embedding_shape`, `embedding_dtype`, `embedding_labels`, `parquet_not_installed`.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors, ".parquet": _read_parquet}
    suffix = Path(name).suffix.lower()
    reader = readers.get(suffix)
    if reader is None:
        raise InvalidInput("unknown_embedding_file", f"{name} is none of {', '.join(readers)}.{how_to_save(suffix)}")
    if path.stat().st_size == 0:
        raise InvalidInput("empty_file", "The file is empty.")
    found = reader(path, limits)
    check_file(found, limits)
    return found.beginning(limits.first_rows)


def check_file(found: EmbeddingFile, limits: FileLimits) -> None:
    """Raise `InvalidInput` unless shape, type and labels are as they must be."""
    found.array.check_numbers()
    _check_shape(found.array, limits)
    if found.labels is not None and len(found.labels) != found.count:
        labels = counted(len(found.labels), "label")
        message = f"{labels} for {counted(found.count, 'vector')} in the file; give each vector one, or none."
        raise InvalidInput("embedding_labels", message)
    if found.names is not None and len(found.names) != found.count:
        raise InvalidInput(CORRUPT, "The file does not name each of its vectors.")


def _read_npy(path: Path, limits: FileLimits) -> EmbeddingFile:
    with path.open("rb") as stream:
        array = npy_header(stream.read(HEADER_BYTES), "the array", path)
    array.check_numbers()
    array.check_size(path.stat().st_size - array.offset)
    return EmbeddingFile(array)


def _read_npz(path: Path, limits: FileLimits) -> EmbeddingFile:
    with opened_npz(path, limits.scratch, limits.unpacked_bytes) as file:
        chosen = choose(file.names, file.may_be_vectors)
        vectors = file.header(chosen.features, FEATURES)
        vectors.check_numbers()
        _check_shape(vectors, limits)
        file.unpack(vectors, limits.first_rows)
        found = EmbeddingFile(vectors)
        labels = file.header(chosen.labels, "labels") if chosen.labels else None
        names = file.header(chosen.names, "names") if chosen.names else None
        return _with_columns(found, labels, names, limits, file.unpack)


def _read_safetensors(path: Path, limits: FileLimits) -> EmbeddingFile:
    file = SafetensorsFile(path)
    chosen = choose(file.entries, file.may_be_vectors)
    labels, names = (file.array(name) if name else None for name in (chosen.labels, chosen.names))
    return _with_columns(EmbeddingFile(file.array(chosen.features)), labels, names, limits)


def _with_columns(
    found: EmbeddingFile,
    labels: StoredArray | None,
    names: StoredArray | None,
    limits: FileLimits,
    unpack: Callable[[StoredArray], None] = lambda array: None,
) -> EmbeddingFile:
    """With what stands beside the vectors, each of which `unpack` puts where it is read from."""
    if labels is not None:
        check_labels(labels, limits.rows)
        unpack(labels)
        found = replace(found, labels=texts_of(labels))
    if names is not None and may_be_names(names, found.count):
        unpack(names)
        found = replace(found, names=texts_of(names))
    return found


def _read_parquet(path: Path, limits: FileLimits) -> EmbeddingFile:
    converted = convert_parquet(
        path,
        limits.scratch,
        most_rows=limits.rows,
        most_columns=MAX_EMBEDDING_WIDTH,
        most_bytes=limits.unpacked_bytes,
        memory_bytes=limits.memory_bytes,
        cpu_seconds=limits.cpu_seconds,
    )
    return EmbeddingFile(converted.array, converted.labels, converted.names)


def _check_shape(array: StoredArray, limits: FileLimits) -> None:
    shape = array.shape
    if len(shape) not in (2, 3) or 0 in shape:
        message = (
            f"{array.name} has the shape {list(shape)}. It must be [n, d], one vector of d numbers a row; class "
            "features may also be [T, K, d], for T templates. No axis may be empty."
        )
        raise InvalidInput("embedding_shape", message)
    if shape[-1] > MAX_EMBEDDING_WIDTH:
        message = f"A vector may have {MAX_EMBEDDING_WIDTH:,} numbers, and {array.name} has {shape[-1]:,} a row."
        raise InvalidInput("embedding_shape", message)
    count = array.nbytes // (array.dtype.itemsize * shape[-1])
    if count > limits.rows:
        message = f"{array.name} has {count:,} rows; at most {limits.rows:,} are read."
        raise InvalidInput("embedding_file_too_large", message)
