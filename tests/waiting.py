"""Waiting for what threads, processes and servers do."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

#: How long a test waits for anything. It tells what hangs from what is late on a busy machine, and measures nothing.
WAIT_SECONDS = 300.0
PAUSE_SECONDS = 0.02

Found = TypeVar("Found")


def wait_for(
    condition: Callable[[], Found], what: Callable[[], object] = lambda: "waited in vain", seconds: float = WAIT_SECONDS
) -> Found:
    """What the condition gives once that is true; `what` is said where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what()
        time.sleep(PAUSE_SECONDS)
    return found


def processes_with(part: str, parent: int | None = None, *, recursive: bool = True) -> list[psutil.Process]:
    """The processes below `parent`, or this one, with `part` in an argument, but for those that end meanwhile."""
    found = []
    for process in psutil.Process(parent).children(recursive=recursive):
        with suppress(psutil.NoSuchProcess):  # a zombie that nobody has noticed yet, too
            if any(part in argument for argument in process.cmdline()):
                found.append(process)
    return found


def command_of(pid: int) -> list[str]:
    """The arguments that a process was started with: the system tells none for a moment after its start."""
    return wait_for(psutil.Process(pid).cmdline)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process runs no more, reaped or not."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
