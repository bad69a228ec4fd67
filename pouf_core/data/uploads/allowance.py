"""How long reading a sample may take."""

from __future__ import annotations

import os
import time

import psutil

#: On a busy machine reading takes longer than it computes.
CLOCK_SECONDS_PER_CPU_SECOND = 12.0


class Allowance:
    """Seconds of computing from now on, by this process and those below it; and some times that on the clock.

    Args:
        seconds: of computing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began, self._computed = time.monotonic(), _computed()

    def is_used(self, share: float = 1.0) -> bool:
        """Whether that share of them is over."""
        seconds, passed = share * self._seconds, time.monotonic() - self._began
        if passed > CLOCK_SECONDS_PER_CPU_SECOND * seconds:
            return True
        return passed > seconds and _computed() - self._computed > seconds  # the latter takes a while


def _computed() -> float:
    """Seconds that this process and those below it have computed, those that were waited for among them."""
    found = sum(os.times()[:4])
    for process in psutil.Process().children(recursive=True):
        try:
            found += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue  # it has ended meanwhile
    return found
