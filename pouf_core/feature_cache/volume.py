"""One file of features: records of one size, each with a checksum of its own, only ever appended to.

What a killed process had written counts: a record is whole or it is the file's torn end, which nobody reads.
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
_READ_AT_ONCE = 4 * 1024**2


class DamagedVolumeError(Exception):
    """A record is not what was written."""


def record_type(row_type: str, width: int) -> np.dtype[Any]:
    """A content hash, features of a type (`<f4`, `<f8`) and width, and the CRC-32 of both."""
    return np.dtype([("digest", "u1", DIGEST_BYTES), ("row", row_type, (width,)), ("check", "<u4")])


class Volume:
    """A file of records, mapped into memory: it can be read as long as this object lives, even when it is removed.

    Args:
        path: the file.
        record: see `record_type`.
    """

    def __init__(self, path: Path, record: np.dtype[Any]) -> None:
        self.path = path
        self._record = record
        self._records: npt.NDArray[Any] = np.empty(0, record)
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        """Records that are mapped."""
        return len(self._records)

    def read(self) -> Digests:
        """Map the file; the content hashes of all records, each of which is checked.

        Raises:
            DamagedVolumeError: one is damaged.
            OSError: the file cannot be read.
        """
        found = [np.empty((0, DIGEST_BYTES), np.uint8)]
        with self.path.open("rb") as file:
            self.map(file.fileno())
            size = self._record.itemsize
            at_once = max(1, _READ_AT_ONCE // size)
            for start in range(0, len(self), at_once):  # not through the map, whose pages would stay in memory
                chunk = file.read(min(at_once, len(self) - start) * size)
                records = np.frombuffer(chunk, self._record)
                if not np.array_equal(_checks(chunk, size), records["check"]):
                    raise DamagedVolumeError(f"{self.path} is damaged.")
                found.append(records["digest"].copy())
        return np.concatenate(found)

    def map(self, descriptor: int) -> None:
        """Map all whole records of the open file."""
        count = os.fstat(descriptor).st_size // self._record.itemsize
        if count > len(self):
            self._map = mmap.mmap(descriptor, count * self._record.itemsize, access=mmap.ACCESS_READ)
            self._records = np.frombuffer(self._map, self._record)

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """A copy of the features [b, d] of some records."""
        found: Rows = self._records["row"][numbers]
        return found

    def forget_pages(self) -> None:
        """Let the system take back the memory of pages that were read."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


class VolumeWriter:
    """Appends to a file that no other process appends to as long as this one does.

    Args:
        path: of the file.
        record: see `record_type`.
        new: whether the file is made; one that is there is not, and the other way round.

    Raises:
        BlockingIOError: another process appends to it.
        OSError: it cannot be opened or made.
    """

    def __init__(self, path: Path, record: np.dtype[Any], new: bool) -> None:
        self._record = record
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if new else 0), 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.count = os.fstat(self.descriptor).st_size // record.itemsize
            self._cut()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.count * self._record.itemsize

    def append(self, digests: Digests, rows: Rows) -> None:
        """Add records; all of them or none.

        Raises:
            OSError: the disk is full, for one.
        """
        records = np.zeros(len(rows), self._record)
        records["digest"], records["row"] = digests, rows
        records["check"] = _checks(records.tobytes(), self._record.itemsize)
        remaining = memoryview(records.tobytes())
        os.lseek(self.descriptor, 0, os.SEEK_END)
        try:
            while remaining:
                remaining = remaining[os.write(self.descriptor, remaining) :]
        except OSError:
            self._cut()
            raise
        self.count += len(rows)

    def close(self) -> None:
        """Let others append."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)  # a map of the file would hold on to the lock
        os.close(self.descriptor)

    def _cut(self) -> None:
        """Remove a torn end."""
        os.ftruncate(self.descriptor, self.size)


def _checks(records: bytes, size: int) -> npt.NDArray[np.uint32]:
    """The CRC-32 of each record of `size` bytes, without the last four, which are for it."""
    view = memoryview(records)
    found = (zlib.crc32(view[start : start + size - 4]) for start in range(0, len(records), size))
    return np.fromiter(found, np.uint32, len(records) // size)
