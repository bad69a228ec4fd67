"""What the parts of the service write to their logs from now on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path


class LogReader:
    """Follows the logs of a folder whose names match `patterns`, those too that are still to be made."""

    def __init__(self, folder: Path, patterns: Sequence[str]) -> None:
        self._folder = folder
        self._patterns = patterns
        self._read_to = {path: path.stat().st_size for path in self._paths()}

    def new_lines(self) -> Iterator[str]:
        """Yield what was added since the last call, line by line."""
        for path in self._paths():
            with path.open("rb") as log:
                log.seek(self._read_to.get(path, 0))
                lines = log.read().decode(errors="replace").splitlines()
                self._read_to[path] = log.tell()
            yield from lines

    def _paths(self) -> Iterator[Path]:
        for pattern in self._patterns:
            yield from self._folder.glob(pattern)
