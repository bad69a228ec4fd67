"""Free space on the disks that the service writes to: how much must stay free, and which errors mean a full disk.

The reserve is for work under way: checkpoints, models, the database itself. New work waits.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.settings import Settings
    from store.storage import Storage

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Libraries that write by themselves keep the text of the system's error and lose its number; the last is SQLite's.
TEXTS = (*(os.strerror(number) for number in FULL), "database or disk is full")
#: NumPy's of an array that went to the disk in part.
SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
#: SQLite's "disk I/O error" where a database that nobody has open is opened on a full disk: its index has no room.
NO_INDEX = sqlite3.SQLITE_IOERR_SHMSIZE

DEFAULT_FLOOR = 1024**3
SMALL_DISK_SHARE = 20
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Disk:
    """A disk with `free` bytes, of which `floor` are reserved for work under way."""

    free: int
    floor: int

    @property
    def shortage(self) -> str | None:
        """Why new work must wait, or None when there is enough space."""
        if self.free >= self.floor:
            return None
        return f"{_mebibytes(self.free)} of the disk are free, and {_mebibytes(self.floor)} must stay free"


def scarcest(settings: Settings, storage: Storage) -> Disk:
    """The disk with the least space above its reserve, of those with data directory, storage and SQLite database."""
    return scarcest_with(settings, storage.local_root)


def scarcest_with(settings: Settings, local_root: Path | None) -> Disk:
    """The same where the directory of a local storage need not be there yet."""
    disks = [_disk(directory, settings.min_free_bytes) for directory in _directories(settings, local_root)]
    return min(disks, key=lambda disk: disk.free - disk.floor)


def shortage(settings: Settings, storage: Storage) -> str | None:
    """Why new work must wait, or None."""
    return scarcest(settings, storage).shortage


def require_space(settings: Settings, storage: Storage) -> None:
    """Raise `OSError`, as a full disk does, when new work must wait."""
    lack = shortage(settings, storage)
    if lack is not None:
        raise OSError(errno.ENOSPC, lack)


def is_disk_full(error: BaseException) -> bool:
    """Whether `error`, or what caused it, is a full disk."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:  # two may name each other
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        origin = getattr(cause, "orig", cause)  # without the parameters that SQLAlchemy shows beside it
        said = str(origin)
        if any(text in said for text in TEXTS) or SHORT_WRITE.search(said):
            return True
        if getattr(origin, "sqlite_errorcode", None) == NO_INDEX:
            return True
        causes.append(cause)
        cause = cause.__cause__
    return False


def _directories(settings: Settings, local_root: Path | None) -> Iterator[Path]:
    yield settings.data_dir
    if local_root is not None:
        yield local_root
    if settings.database_url.startswith(SQLITE):
        yield Path(settings.database_url.removeprefix(SQLITE).partition("?")[0]).parent


def _disk(directory: Path, floor: int | None) -> Disk:
    # a directory that is still to be made will be on its parent's disk
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return Disk(usage.free, min(DEFAULT_FLOOR, usage.total // SMALL_DISK_SHARE) if floor is None else floor)


def _mebibytes(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB"
