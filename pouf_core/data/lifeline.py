"""Processes that end with the one that started them, however that one ends.

`python -m pouf_core.data.lifeline DESCRIPTOR MODULE [ARGUMENT…]` runs a module that way. Nothing is ever written to
the descriptor, a pipe's end, and the starting process alone has the other: the system closes it with that process.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Tied:
    """How to start a process that is tied to this one, for `subprocess`."""

    command: list[str]
    pass_fds: tuple[int, ...]


@contextmanager
def tied(module: str, *arguments: str) -> Iterator[Tied]:
    """Say how to start a module, whose process is killed when the block or this process ends.

    Args:
        module: it is run as `python -m`.
        arguments: of its command line.
    """
    theirs, ours = os.pipe()
    try:
        yield Tied([sys.executable, "-m", __name__, str(theirs), module, *arguments], (theirs,))
    finally:
        os.close(theirs)
        os.close(ours)


def main(descriptor: int, module: str, *arguments: str) -> None:
    """Run the module as the main program, for as long as the pipe is open."""
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with, args=(descriptor,), name="lifeline", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGKILL)  # a library may be busy, and catch everything else


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
