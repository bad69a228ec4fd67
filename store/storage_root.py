"""Telling a storage's directory from the empty place where it is not mounted.

The directory holds a mark, and the data directory remembers that there is one. A directory without the mark is then
not the storage, and is not made into one.
"""

from __future__ import annotations

from pathlib import Path

from store.outages import StorageUnavailable

MARK = ".pouf-storage"


class StorageRoot:
    """The directory of a storage.

    Args:
        path: of the directory; made, with its mark, unless it is remembered.
        memory: the file that remembers it; None where nothing does.
    """

    def __init__(self, path: Path, memory: Path | None) -> None:
        self.path = path
        self._mark = path / MARK  # a directory: what is stored are files
        if self.is_there or (memory is not None and _remembers(memory, path)):
            return
        self.make()
        if memory is not None:
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_text(str(path))

    def make(self) -> None:
        """Make what is at the path the storage's directory, whatever is remembered."""
        self._mark.mkdir(parents=True, exist_ok=True)

    @property
    def is_there(self) -> bool:
        """Whether the directory is the storage's, mounted, and may be used."""
        try:
            return self._mark.is_dir()
        except OSError:  # it may not be looked into, or the machine that it is on is away
            return False

    def require(self) -> None:
        """Raise `StorageUnavailable` unless it is there."""
        if not self.is_there:
            raise StorageUnavailable(f"{self.path} is not there, may not be used, or is not the storage's directory")


def _remembers(memory: Path, path: Path) -> bool:
    try:
        return memory.read_text() == str(path)
    except FileNotFoundError:
        return False
