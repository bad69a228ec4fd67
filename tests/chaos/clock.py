"""A wall clock that can be moved while the service runs.

libfaketime would move it for every library too, but its threads hang with Python's waits on conditions.
"""

from __future__ import annotations

import os
from pathlib import Path

HOOK = Path(__file__).parent / "clock_hook"


class MovableClock:
    """The clock of every process that was started with `environment`: real time and an offset, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        inherited = os.environ.get("PYTHONPATH")
        self.environment = {
            "CHAOS_CLOCK_OFFSET_FILE": str(file),
            "PYTHONPATH": os.pathsep.join([str(HOOK), *([inherited] if inherited else [])]),
        }
        self.set(0)

    def set(self, offset_seconds: int) -> None:
        """Move the clock, at once and for all."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(str(offset_seconds))
        temporary.replace(self._file)
