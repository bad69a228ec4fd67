"""The one source of wall-clock time."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

#: For tests: names a file with the seconds by which this process's clock is off. It may change while the service runs.
OFFSET_FILE = os.environ.get("POUF_TEST_CLOCK_OFFSET_FILE")


def utcnow() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    now = datetime.now(UTC)
    return now if OFFSET_FILE is None else now + timedelta(seconds=float(Path(OFFSET_FILE).read_text()))
