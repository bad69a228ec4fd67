"""The arrays of an untrusted `.npz`, unpacked one by one."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pouf_core.data.stored_arrays import CORRUPT, HEADER_BYTES, StoredArray, check_no_objects, npy_header
from pouf_core.data.zip_directory import COMPRESSIONS, DIRECTORY_DAMAGE, MEMBER_DAMAGE, TooManyEntries, open_zip
from pouf_core.errors import InvalidInput

COPY_CHUNK = 1024**2
_MOST_ARRAYS = 1000


class NpzFile:
    """An open `.npz`; its arrays are known by their names, without `.npy`.

    Args:
        archive: it.
        scratch: a directory for what is unpacked.
        most_bytes: that one array may unpack to.
    """

    def __init__(self, archive: zipfile.ZipFile, scratch: Path, most_bytes: int) -> None:
        self._archive = archive
        self._scratch = scratch
        self._most_bytes = most_bytes
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    @property
    def names(self) -> Collection[str]:
        """Of its arrays, in order."""
        return self._members.keys()

    def may_be_vectors(self, name: str) -> bool:
        """As `StoredArray.may_be_vectors`."""
        return self.header(name, "unread").may_be_vectors

    def header(self, name: str, target: str) -> StoredArray:
        """What the header of an array says, as it will lie in the file `target` once it is unpacked.

        Raises:
            InvalidInput: `embedding_file_corrupt`.
        """
        info = self._members[name]
        if info.flag_bits & 1 or info.compress_type not in COMPRESSIONS:
            raise InvalidInput(CORRUPT, f"{name} is encrypted, or packed in another way than numpy's.")
        if info.header_offset < 0:
            raise InvalidInput(CORRUPT, f"{name} lies before the file's start.")
        try:
            with self._archive.open(info) as stream:
                return npy_header(stream.read(HEADER_BYTES), name, self._scratch / f"{target}.npy")
        except MEMBER_DAMAGE as error:
            raise _damaged(name, error) from error

    def unpack(self, array: StoredArray, rows: int | None = None) -> None:
        """Write an array whose header was read where it is to lie, or at most so many of its rows.

        Raises:
            InvalidInput: `pickled_array`, `embedding_file_corrupt`, `embedding_file_too_large`.
        """
        name, info = array.name, self._members[array.name]
        check_no_objects(name, array.dtype)
        array.check_size(info.file_size - array.offset)
        wanted = array.beginning(rows)
        left = wanted.offset + wanted.nbytes
        if left > self._most_bytes:
            message = f"{name} unpacks to {left:,} bytes, which is more than a file of this size may."
            raise InvalidInput("embedding_file_too_large", message)
        try:
            with self._archive.open(info) as stream, array.path.open("wb") as target:
                while chunk := stream.read(min(COPY_CHUNK, left)):
                    target.write(chunk)
                    left -= len(chunk)
        except MEMBER_DAMAGE as error:
            raise _damaged(name, error) from error
        wanted.check_size(array.path.stat().st_size - array.offset)


@contextmanager
def opened_npz(path: Path, scratch: Path, most_bytes: int) -> Iterator[NpzFile]:
    """Open a `.npz`.

    Raises:
        InvalidInput: `embedding_file_corrupt`, or `several_arrays` of too many.
    """
    try:
        archive = open_zip(path, _MOST_ARRAYS)
    except TooManyEntries as error:
        raise InvalidInput("several_arrays", f"The file holds more than {_MOST_ARRAYS:,} arrays.") from error
    except DIRECTORY_DAMAGE as error:
        raise InvalidInput(CORRUPT, f"The file is no .npz archive: {error}.") from error
    with archive:
        yield NpzFile(archive, scratch, most_bytes)


def _damaged(name: str, error: Exception) -> InvalidInput:
    return InvalidInput(CORRUPT, f"{name} is damaged inside the file: {error}.")
