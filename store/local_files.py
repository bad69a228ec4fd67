"""Files and directories of this host."""

from pathlib import Path


def files_below(directory: Path) -> list[Path]:
    """Every file, sorted."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def same_device(path: Path, directory: Path) -> bool:
    """Whether a file can be moved into a directory without being copied."""
    return path.stat().st_dev == directory.stat().st_dev
