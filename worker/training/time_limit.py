"""How long a job has run, over all of its attempts, for a limit to be compared with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from store.tables.jobs import StatusChange
from store.transitions import FINAL, RUNNING


def ran_seconds(changes: Iterable[StatusChange], now: datetime) -> float:
    """Seconds that a job has spent in `RUNNING`, since its first attempt or the retry of an ended job.

    Args:
        changes: its history, oldest first.
        now: until when it counts.
    """
    total = 0.0
    since: datetime | None = None
    for change in changes:
        moment = datetime.fromisoformat(change["at"])
        if since is not None:
            total += max((moment - since).total_seconds(), 0.0)  # a clock may have been set back
        since = moment if change["status"] in RUNNING else None
        if change["status"] in FINAL:
            total = 0.0
    return total + (max((now - since).total_seconds(), 0.0) if since is not None else 0.0)
