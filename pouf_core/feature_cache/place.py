"""The directory of a feature cache, and how much may lie in it: the least recently used files go first."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pouf_core.contract.feature_files import SUFFIX
from pouf_core.data.private_directory import make_private
from pouf_core.feature_cache.volume import index_of

MAX_BYTES = 4 * 1024**3
_GRANTED_AT_ONCE = 8 * 1024**2


@dataclass
class FeaturePlace:
    """Where one owner's features are kept.

    Attributes:
        directory: made with mode 0700.
        max_bytes: what the files below `within` may take together.
        within: the directory of all owners; None where there is one.
        least_free: bytes of the disk that stay free.
    """

    directory: Path
    max_bytes: int = MAX_BYTES
    within: Path | None = None
    least_free: int = 0
    _granted: int = field(default=0, init=False)

    def make(self) -> None:
        """Make the directories.

        Raises:
            OSError: they cannot be made, or another user may write to them.
        """
        for directory in (self.within, self.directory):
            if directory is not None:
                make_private(directory)

    def grants(self, size: int, kept: Collection[Path]) -> bool:
        """Whether `size` bytes more may be written; makes room for them.

        Args:
            size: bytes.
            kept: files that stay, whoever needs room.

        Raises:
            OSError: the directory cannot be read.
        """
        if self._granted < size:
            self._granted = self._make_room(max(size, min(_GRANTED_AT_ONCE, self.max_bytes // 16)), kept)
        if self._granted < size:
            return False
        self._granted -= size
        return True

    def _make_room(self, wanted: int, kept: Collection[Path]) -> int:
        """How many more bytes may be written, up to those wanted, once old files are gone."""
        top = self.within or self.directory
        files = sorted(_volumes(top), key=lambda volume: volume.used_at)
        used = sum(volume.size for volume in files)
        limit = min(self.max_bytes, used + shutil.disk_usage(top).free - self.least_free)
        for volume in files:
            if used + wanted <= limit:
                break
            if volume.path not in kept:
                for path in (volume.path, index_of(volume.path)):
                    path.unlink(missing_ok=True)
                used -= volume.size
        return max(0, min(wanted, limit - used))


@dataclass(frozen=True)
class _Volume:
    path: Path
    size: int
    used_at: float


def _volumes(top: Path) -> Iterator[_Volume]:
    for path in top.rglob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # removed by another process meanwhile
            status = path.stat()
            yield _Volume(path, status.st_size + index_of(path).stat().st_size, status.st_mtime)
