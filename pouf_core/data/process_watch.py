"""Processes that are waited for: whether one does anything at all, and how it is ended with those below it."""

from __future__ import annotations

from contextlib import suppress

import psutil

#: Between two looks at a process.
LOOK_SECONDS = 1.0
#: One that has not computed for so long stands still: on a busy machine, too, each gets its turn.
STILL_SECONDS = 30.0


class Stillness:
    """Tells of a process that was stopped, or hangs: neither it nor one below it computes, so that waiting is in vain.

    It is looked at, not timed: where this process is stopped together with the other, none of them gets on.
    """

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id
        self._computed = 0.0
        self._looks = 0

    def look(self) -> bool:
        """Whether it stands still; to be asked each time that it was waited for `LOOK_SECONDS` in vain."""
        computed = seconds_computed(self._process_id)
        self._looks = self._looks + 1 if computed == self._computed else 0
        self._computed = computed
        return self._looks * LOOK_SECONDS >= STILL_SECONDS


def seconds_computed(process_id: int) -> float:
    """Seconds that a process and those below it have computed, those that were waited for among them."""
    found = 0.0
    for process in _with_those_below(process_id):
        with suppress(psutil.Error):  # it has ended meanwhile
            found += sum(process.cpu_times()[:4])
    return found


def kill_with_those_below(process_id: int) -> None:
    """Kill a process that was not waited for yet, and those below it: one that is stopped does not end with another."""
    for process in _with_those_below(process_id):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _with_those_below(process_id: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(process_id)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
