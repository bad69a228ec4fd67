"""Converted models on disk: written by this user alone, and checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pouf_core.data.private_directory import make_private

logger = logging.getLogger(__name__)

MAX_BYTES = 4 * 1024**3
_SUMS = "sha256.json"
_UNFINISHED = ".unfinished-"


class ConvertedModels:
    """A directory of converted models, one folder each, under a byte budget: the least recently used go first.

    Args:
        directory: made with mode 0700.
        max_bytes: what all of them may take.

    Raises:
        OSError: the directory cannot be made, or another user may write to it.
    """

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        make_private(directory)

    def get(self, key: str) -> Path | None:
        """The folder of a converted model; a damaged one is removed and not given.

        Args:
            key: a file name.
        """
        folder = self._directory / key
        if not folder.is_dir():
            return None
        if not _is_whole(folder):
            logger.warning("The converted model %s is damaged and is made again.", folder)
            shutil.rmtree(folder, ignore_errors=True)
            return None
        os.utime(folder)
        return folder

    def put(self, key: str, write: Callable[[Path], None]) -> Path:
        """The folder of a converted model that `write` writes into an empty one; all of it or nothing.

        Raises:
            OSError: the disk is full, for one.
        """
        temporary = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._directory))
        try:
            write(temporary)
            (temporary / _SUMS).write_text(json.dumps(_sums(temporary)))
            folder = self._directory / key
            try:
                temporary.rename(folder)
            except OSError:  # another process was faster
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._evict(folder)
        return folder

    def _evict(self, kept: Path) -> None:
        """Remove the least recently used folders beyond the budget, and what a killed process left behind."""
        folders = sorted((path for path in self._directory.iterdir() if path.is_dir()), key=_used)
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in folders}
        total = sum(sizes.values())
        for path in folders:
            if total <= self._max_bytes:
                return
            if path != kept:
                shutil.rmtree(path, ignore_errors=True)
                total -= sizes[path]


def _is_whole(folder: Path) -> bool:
    try:
        expected = json.loads((folder / _SUMS).read_text())
        return bool(expected) and expected == _sums(folder)
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name != _SUMS:
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _used(folder: Path) -> float:
    return folder.stat().st_mtime
