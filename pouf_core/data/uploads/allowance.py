"""How long reading a sample may take."""

from __future__ import annotations

import os
import time

from pouf_core.data.process_watch import seconds_computed

#: On a busy machine reading takes longer than it computes.
CLOCK_SECONDS_PER_CPU_SECOND = 12.0


class Allowance:
    """Seconds of computing from now on, by this process and those below it; and some times that on the clock.

    Args:
        seconds: of computing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began, self._computed = time.monotonic(), seconds_computed(os.getpid())

    def is_used(self, share: float = 1.0) -> bool:
        """Whether that share of them is over."""
        seconds, passed = share * self._seconds, time.monotonic() - self._began
        if passed > CLOCK_SECONDS_PER_CPU_SECOND * seconds:
            return True
        # the latter takes a while
        return passed > seconds and seconds_computed(os.getpid()) - self._computed > seconds
