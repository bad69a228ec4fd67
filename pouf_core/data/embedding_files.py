"""Files of embeddings: `.npy`, `.npz`, `.safetensors` and `.parquet`, checked before their numbers are read."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pouf_core.contract.classes import MAX_TEXT_LENGTH
from pouf_core.contract.counts import counted
from pouf_core.contract.item_limits import MAX_EMBEDDING_WIDTH
from pouf_core.data.parquet_files import convert_parquet
from pouf_core.data.safetensors_files import SafetensorsFile
from pouf_core.data.stored_arrays import CORRUPT, HEADER_BYTES, StoredArray, check_no_objects, npy_header
from pouf_core.data.zip_directory import COMPRESSIONS, DIRECTORY_DAMAGE, MEMBER_DAMAGE, TooManyEntries, open_zip
from pouf_core.errors import InvalidInput

FEATURES = "features"
#: Arrays beside the features that hold evaluation labels.
LABELS = ("labels", "label")
COPY_CHUNK = 1024**2
_MOST_ARRAYS = 1000
_NAMED_AT_MOST = 10
_LONGEST_LABEL_BYTES = 4 * MAX_TEXT_LENGTH
#: Labels are read whole.
_MOST_LABEL_BYTES = 256 * 1024**2


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
    """

    array: StoredArray
    labels: Sequence[str | None] | None = None

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
        """As `StoredArray.beginning`, with labels."""
        cut = replace(self, array=self.array.beginning(rows))
        return replace(cut, labels=cut.labels and cut.labels[: cut.count])

    def blocks(self) -> Iterator[NDArray[Any]]:
        """The vectors in order, [b, d] at a time, as they are in the file."""
        return self.array.blocks()


def read_embeddings(path: Path, name: str, limits: FileLimits) -> EmbeddingFile:
    """Read the header of a file of embeddings, and unpack it where it is packed.

    Args:
        path: the file.
        name: its name, whose suffix says what it is. A `.npy` holds one array. A `.npz` or `.safetensors` holds the
            vectors as `features`, as its only array, or as its only one of floats in two or three dimensions, and
            evaluation labels, if any, as `labels`. A `.parquet` holds them as a column of lists, named `features` or
            the only one, or as columns of numbers, and labels as `label`.
        limits: what it may take.

    Raises:
        InvalidInput: `unknown_embedding_file`, `embedding_file_corrupt`, `embedding_file_too_large`, `pickled_array`,
            `several_arrays`, `embedding_shape`, `embedding_dtype`, `embedding_labels`, `parquet_not_installed`.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors, ".parquet": _read_parquet}
    reader = readers.get(Path(name).suffix.lower())
    if reader is None:
        raise InvalidInput("unknown_embedding_file", f"{name} is none of {', '.join(readers)}.")
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


def _read_npy(path: Path, limits: FileLimits) -> EmbeddingFile:
    with path.open("rb") as stream:
        array = npy_header(stream.read(HEADER_BYTES), "the array", path)
    array.check_numbers()
    array.check_size(path.stat().st_size - array.offset)
    return EmbeddingFile(array)


def _read_npz(path: Path, limits: FileLimits) -> EmbeddingFile:
    try:
        archive = open_zip(path, _MOST_ARRAYS)
    except TooManyEntries as error:
        raise InvalidInput("several_arrays", f"The file holds more than {_MOST_ARRAYS:,} arrays.") from error
    except DIRECTORY_DAMAGE as error:
        raise InvalidInput(CORRUPT, f"The file is no .npz archive: {error}.") from error
    with archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        features, labels = _choose(members, lambda name: _header(archive, members[name], name, path).may_be_vectors)
        array = _unpack(archive, members[features], features, limits)
        if labels is None:
            return EmbeddingFile(array)
        names = _label_names(_unpack(archive, members[labels], labels, limits, are_labels=True))
    return EmbeddingFile(array, names)


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limits: FileLimits, *, are_labels: bool = False
) -> StoredArray:
    """Unpack one array of a `.npz` into the scratch directory as far as wanted, once its header is in order."""
    unpacked = limits.scratch / ("labels.npy" if are_labels else "features.npy")
    array = _header(archive, info, name, unpacked)
    check_no_objects(name, array.dtype)
    array.check_size(info.file_size - array.offset)
    if are_labels:
        _check_labels(array, limits)
    else:
        array.check_numbers()
        _check_shape(array, limits)
    wanted = array if are_labels else array.beginning(limits.first_rows)
    left = wanted.offset + wanted.nbytes
    if left > limits.unpacked_bytes:
        message = f"{name} unpacks to {left:,} bytes, which is more than a file of this size may."
        raise InvalidInput("embedding_file_too_large", message)
    try:
        with archive.open(info) as stream, unpacked.open("wb") as target:
            while chunk := stream.read(min(COPY_CHUNK, left)):
                target.write(chunk)
                left -= len(chunk)
    except MEMBER_DAMAGE as error:
        raise _damaged(name, error) from error
    wanted.check_size(unpacked.stat().st_size - array.offset)
    return array


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, path: Path) -> StoredArray:
    """What the header of one array of a `.npz` says; `path` is where it is to be unpacked."""
    if info.flag_bits & 1 or info.compress_type not in COMPRESSIONS:
        raise InvalidInput(CORRUPT, f"{name} is encrypted, or packed in another way than numpy's.")
    if info.header_offset < 0:
        raise InvalidInput(CORRUPT, f"{name} lies before the file's start.")
    try:
        with archive.open(info) as stream:
            return npy_header(stream.read(HEADER_BYTES), name, path)
    except MEMBER_DAMAGE as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> InvalidInput:
    return InvalidInput(CORRUPT, f"{name} is damaged inside the file: {error}.")


def _read_safetensors(path: Path, limits: FileLimits) -> EmbeddingFile:
    file = SafetensorsFile(path)
    features, labels = _choose(file.entries, file.may_be_vectors)
    array = file.array(features)
    if labels is None:
        return EmbeddingFile(array)
    names = file.array(labels)
    _check_labels(names, limits)
    return EmbeddingFile(array, _label_names(names))


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
    return EmbeddingFile(converted.array, converted.labels)


def _choose(arrays: Collection[str], may_be_vectors: Callable[[str], bool]) -> tuple[str, str | None]:
    """The names of the features and of the labels among those of a file's arrays; others, such as ids, are not read."""
    labels = next((name for name in LABELS if name in arrays), None)
    others = [name for name in arrays if name != labels]
    if FEATURES in others:
        return FEATURES, labels
    if len(others) == 1:
        return others[0], labels
    if not others:
        raise InvalidInput("embedding_shape", "The file holds no array of vectors.")
    vectors = [name for name in others if may_be_vectors(name)]
    if len(vectors) == 1:
        return vectors[0], labels
    named = ", ".join(name[:100] for name in others[:_NAMED_AT_MOST]) + ("…" if len(others) > _NAMED_AT_MOST else "")
    message = f"The file holds {len(others)} arrays ({named}), and none is named {FEATURES}; name one so, or send one."
    raise InvalidInput("several_arrays", message)


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


def _check_labels(array: StoredArray, limits: FileLimits) -> None:
    check_no_objects(array.name, array.dtype)
    usable = array.dtype.kind in "iuUS" and not array.bfloat16 and 0 < array.dtype.itemsize <= _LONGEST_LABEL_BYTES
    if not usable or len(array.shape) != 1 or array.shape[0] > limits.rows or array.nbytes > _MOST_LABEL_BYTES:
        message = f"{array.name} must hold one integer or string for each vector, of at most {MAX_TEXT_LENGTH} letters."
        raise InvalidInput("embedding_labels", message)


def _label_names(array: StoredArray) -> list[str | None]:
    """Labels as text; None where one is empty."""
    stored = array.read()
    native = stored.astype(stored.dtype.newbyteorder("="))
    if native.dtype.kind == "U" and (native.view(np.uint32) > sys.maxunicode).any():  # which Python takes unchecked
        raise InvalidInput("embedding_labels", f"{array.name} holds characters that there are not.")
    values = native.tolist()
    texts = (value if isinstance(value, bytes) else str(value).encode("utf-8", "replace") for value in values)
    return [text.decode("utf-8", "replace").strip().replace("\0", "") or None for text in texts]
