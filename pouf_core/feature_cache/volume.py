"""Files of features that are only ever appended to: rows, and beside them an index of their content hashes.

What a killed process had written counts: rows are written before their entries in the index, and each entry has a
checksum of its row.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Digests = npt.NDArray[np.uint8]
"""[n, 32] content hashes."""
Rows = npt.NDArray[Any]
"""[n, d] features, float32 or float64."""

DIGEST_BYTES = 32
_ENTRY = np.dtype([("digest", "u1", DIGEST_BYTES), ("check", "<u4")])


def row_type(number: str, width: int) -> np.dtype[Any]:
    """Features of a type (`<f4`, `<f8`) and width."""
    return np.dtype((number, (width,)))


def index_of(path: Path) -> Path:
    """The index of a file of rows."""
    return path.with_suffix(".index")


class Volume:
    """A file of rows, mapped into memory: it can be read as long as this object lives, even when it is removed.

    Args:
        path: the file.
        row: see `row_type`.
    """

    def __init__(self, path: Path, row: np.dtype[Any]) -> None:
        self.path = path
        self._row = row
        self._rows: Rows = np.empty((0, *row.shape), row.base)
        self._entries: npt.NDArray[Any] = np.empty(0, _ENTRY)
        self._map: mmap.mmap | None = None

    def read(self) -> Digests:
        """Map the file; the content hashes of all rows.

        Raises:
            OSError: it cannot be read.
        """
        with self.path.open("rb") as file:
            self.map(file.fileno())
        with index_of(self.path).open("rb") as file:
            whole = os.fstat(file.fileno()).st_size // _ENTRY.itemsize
            count = min(whole, len(self._rows))
            self._entries = np.frombuffer(file.read(count * _ENTRY.itemsize), _ENTRY)
        return self._entries["digest"].copy()

    def map(self, descriptor: int) -> None:
        """Map all whole rows of the open file."""
        size = os.fstat(descriptor).st_size // self._row.itemsize * self._row.itemsize
        if size > self._rows.nbytes:
            self._map = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
            self._rows = np.frombuffer(self._map, self._row.base).reshape(-1, *self._row.shape)

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """A copy of some rows [b, d]."""
        found: Rows = self._rows[numbers]
        return found

    def is_whole(self, numbers: npt.NDArray[np.int64]) -> bool:
        """Whether rows, by number [b], of those that were there when it was read, are what was written."""
        entries = self._entries[numbers]
        return np.array_equal(_checks(entries["digest"], self._rows[numbers]), entries["check"])

    def remove(self) -> None:
        """Remove the files."""
        for path in (self.path, index_of(self.path)):
            path.unlink(missing_ok=True)

    def forget_pages(self) -> None:
        """Let the system take back the memory of pages that were read."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


class VolumeWriter:
    """Appends to files that no other process appends to as long as this one does.

    Args:
        path: of the rows.
        row: see `row_type`.
        new: whether the files are made; those that are there are not, and the other way round.

    Raises:
        BlockingIOError: another process appends to them.
        OSError: they cannot be opened or made.
    """

    def __init__(self, path: Path, row: np.dtype[Any], new: bool) -> None:
        self._row = row
        self.count = 0
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if new else 0)
        self.descriptor = os.open(path, flags, 0o600)
        self._index = -1
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._index = os.open(index_of(path), flags, 0o600)
            entries, rows = (os.fstat(each).st_size for each in (self._index, self.descriptor))
            self.count = min(entries // _ENTRY.itemsize, rows // row.itemsize)
            self._cut()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.count * self._row.itemsize

    def append(self, digests: Digests, rows: Rows) -> None:
        """Add rows; all of them or none.

        Raises:
            OSError: the disk is full, for one.
        """
        entries = np.zeros(len(rows), _ENTRY)
        entries["digest"], entries["check"] = digests, _checks(digests, rows)
        try:
            _write_all(self.descriptor, np.ascontiguousarray(rows, self._row.base).tobytes())
            _write_all(self._index, entries.tobytes())
        except OSError:
            self._cut()
            raise
        self.count += len(rows)

    def close(self) -> None:
        """Let others append."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)  # a map of the file would hold on to the lock
        for descriptor in (self.descriptor, self._index):
            if descriptor >= 0:
                os.close(descriptor)

    def _cut(self) -> None:
        """Remove torn ends."""
        for descriptor, size in ((self.descriptor, self.size), (self._index, self.count * _ENTRY.itemsize)):
            os.ftruncate(descriptor, size)
            os.lseek(descriptor, size, os.SEEK_SET)


def _write_all(descriptor: int, content: bytes) -> None:
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def _checks(digests: Digests, rows: Rows) -> npt.NDArray[np.uint32]:
    """The CRC-32 of each content hash with its row."""
    pairs = zip(np.ascontiguousarray(digests), np.ascontiguousarray(rows), strict=True)
    return np.fromiter((zlib.crc32(row, zlib.crc32(digest)) for digest, row in pairs), np.uint32, len(rows))
