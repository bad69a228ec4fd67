"""Files and directories of this host."""

import os
from pathlib import Path


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
