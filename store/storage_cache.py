"""Copies of a remote storage's files on this host, within a budget of bytes: what was used last stays.

What belongs together (a dataset, a model) goes together. Whoever reads it for long holds it (`in_use`), by a lock of
the system that ends with the process, so that all processes of a host can share one cache.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from store.ids import new_id

logger = logging.getLogger(__name__)

LOCKS = ".locks"
#: Parts of a key that name what goes together: `datasets/<id>`.
UNIT_PARTS = 2
#: Seconds since its last use during which nothing is removed, for those who do not hold it.
RECENT = 600.0


class StorageCache:
    """The copies below `directory`.

    Args:
        directory: of this host.
        budget: bytes that the copies may take; None without a limit.
    """

    def __init__(self, directory: Path, budget: int | None = None) -> None:
        self.directory = directory
        self._budget = budget

    def path(self, key: str, fetch: Callable[[str], object]) -> Path:
        """Where the copy of a file or directory lies.

        Args:
            key: of the storage.
            fetch: copies it to a path; called where there is no copy.
        """
        target = self.directory / key
        self._note_use(key)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{new_id('tmp')}")
            try:
                fetch(str(temporary))
                temporary.replace(target)
            except OSError:
                _remove(temporary)
                if not target.exists():  # else another process fetched the same directory first
                    raise
            except BaseException:
                _remove(temporary)
                raise
        return target

    def has(self, key: str) -> bool:
        """Whether there is a copy."""
        return (self.directory / key).exists()

    def forget(self, key: str) -> None:
        """Remove the copy of a file or directory."""
        _remove(self.directory / key)

    @contextmanager
    def in_use(self, key: str) -> Iterator[None]:
        """Keep what belongs to `key` from being removed while the block runs."""
        with self._lock_file(key).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def trim(self, budget: int | None = None, recent: float = RECENT) -> int:
        """Remove what was not used for longest until the rest fits; returns the bytes that were removed.

        Args:
            budget: bytes that may stay; None for the cache's own.
            recent: seconds since its last use during which nothing is removed.
        """
        allowed = self._budget if budget is None else budget
        if allowed is None or not self.directory.is_dir():
            return 0
        units = [(self._used_at(unit), _size(unit), unit) for unit in self.directory.glob("[!.]*/*")]
        excess = sum(size for _, size, _ in units) - allowed
        removed = 0
        for used_at, size, unit in sorted(units):
            if removed >= excess or used_at > time.time() - recent:
                break
            if self._remove_unless_used(unit):
                removed += size
        if removed:
            logger.info("Removed %s bytes of copies of stored files.", f"{removed:,}")
        return removed

    def _remove_unless_used(self, unit: Path) -> bool:
        with self._lock_file(unit.relative_to(self.directory).as_posix()).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            aside = unit.with_name(f".{new_id('tmp')}")  # at once, so that nobody finds half of it
            with suppress(FileNotFoundError):
                unit.replace(aside)
                _remove(aside)
            return True

    def _note_use(self, key: str) -> None:
        os.utime(self._lock_file(key))

    def _used_at(self, unit: Path) -> float:
        return self._lock_file(unit.relative_to(self.directory).as_posix()).stat().st_mtime

    def _lock_file(self, key: str) -> Path:
        """A file for what belongs to `key`, made when it is missing; its time is that of the last use."""
        file = self.directory.joinpath(LOCKS, *PurePosixPath(key).parts[:UNIT_PARTS])
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return file


def _size(unit: Path) -> int:
    files = unit.rglob("*") if unit.is_dir() else [unit]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
