"""Waiting for what other processes do."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.1


def wait_for(condition: Callable[[], object], seconds: float, what: Callable[[], str]) -> None:
    """Return once the condition holds; `what` is said where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(PAUSE_SECONDS)
