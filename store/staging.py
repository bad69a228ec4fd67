"""The folder that files arrive in before they are stored, and what killed processes leave there."""

import shutil
from contextlib import suppress
from pathlib import Path


def staging_root(data_dir: Path) -> Path:
    """Where uploads are received and texts are put together; each in a directory of its own, which ends with it."""
    return data_dir / "staging"


def remove_abandoned(root: Path, before: float) -> int:
    """Remove directories that nothing was written to since a time, in seconds since 1970; return how many."""
    abandoned = [path for path in root.iterdir() if _written_at(path) < before] if root.exists() else []
    for path in abandoned:
        shutil.rmtree(path, ignore_errors=True)
    return len(abandoned)


def _written_at(directory: Path) -> float:
    moments = []
    for path in (directory, *directory.rglob("*")):
        with suppress(FileNotFoundError):  # its request has just ended
            moments.append(path.stat().st_mtime)
    return max(moments, default=float("inf"))
