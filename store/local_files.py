"""Files and directories of this host."""

import os
from collections.abc import Iterable
from pathlib import Path

from store.ids import new_id


def files_below(directory: Path) -> list[Path]:
    """Every file, sorted."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def same_device(path: Path, directory: Path) -> bool:
    """Whether a file can be moved into a directory without being copied."""
    return path.stat().st_dev == directory.stat().st_dev


def sync_directory(directory: Path) -> None:
    """Let what was made or renamed in a directory outlast a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(target: Path, chunks: Iterable[bytes]) -> None:
    """Write a file that is whole or not there: temporary file, fsync, rename, fsync of the directory."""
    temporary = target.with_name(f".{new_id('tmp')}")
    try:
        with temporary.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
