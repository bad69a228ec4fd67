"""Moves `store.clock.utcnow` in every process that has this folder on its PYTHONPATH; see `tests.chaos.clock`.

Python imports a module of this name as it starts, before anything could import the function itself.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

OFFSET_FILE = os.environ.get("CHAOS_CLOCK_OFFSET_FILE")

if OFFSET_FILE:  # the processes that decode pictures get no variable of the service and tell no time
    from store import clock

    real_utcnow, offset_file = clock.utcnow, Path(OFFSET_FILE)

    def moved_utcnow() -> datetime:
        return real_utcnow() + timedelta(seconds=float(offset_file.read_text()))

    clock.utcnow = moved_utcnow
