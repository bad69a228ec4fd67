"""The pipes of a process that answers, each exchange until a deadline."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import time
from collections.abc import Callable

from pouf_core.data.process_watch import LOOK_SECONDS, Stillness

#: A picture's pixels in few pieces: each takes the reader and the process in turn.
_PIPE_BYTES = 1024**2
_PIECE = 64 * 1024


class DeadlineExpired(Exception):
    """The process did not answer, or did not read, in time."""


class StoodStill(DeadlineExpired):
    """Nor did it compute: it hangs, or somebody stopped it."""


class DeadlinePipes:
    """Writes to a process's standard input, and reads its standard output.

    Args:
        process: started with both as pipes and `bufsize=0`; they are made non-blocking on this side.
        check: called when a wait begins, and every second of it; raises to end it.

    Raises:
        EOFError: (of the methods) the process closed the pipe, as when it ends.
        DeadlineExpired: (of the methods) it was not done in time; a `StoodStill`, before that, where nothing is done.
    """

    def __init__(self, process: subprocess.Popen[bytes], check: Callable[[], None] = lambda: None) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process_id = process.pid
        self._input, self._output = process.stdin.fileno(), process.stdout.fileno()
        self._read = bytearray()  # beyond what was asked for
        self._deadline = 0.0
        self._check = check
        for pipe in (self._input, self._output):
            os.set_blocking(pipe, False)
        _widen(self._output)  # alone: all pipes of a user together may hold 64 MiB

    def allow(self, seconds: float) -> None:
        """Set the deadline of what follows."""
        self._deadline = time.monotonic() + seconds

    def says(self, line: bytes, seconds: float) -> bool:
        """Whether the process says just this within so many seconds, as one does that is ready."""
        self.allow(seconds)
        try:
            return self.read_line(len(line)) == line
        except (EOFError, DeadlineExpired):
            return False

    def write(self, data: bytes) -> None:
        """Write all of `data`; raises `EOFError` where nobody reads any more, and `DeadlineExpired`."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._input, left) :]
            except BlockingIOError:
                self._wait(self._input, select.POLLOUT)
            except BrokenPipeError as error:
                raise EOFError from error

    def read_line(self, most: int) -> bytes:
        """A line with its end, or its first bytes where it is longer than `most`."""
        while (end := self._read.find(b"\n") + 1) == 0 and len(self._read) < most:
            piece = bytearray(_PIECE)
            self._read += piece[: self._read_into(memoryview(piece))]
        end = min(end or most, most)
        line = bytes(self._read[:end])
        del self._read[:end]
        return line

    def read(self, count: int) -> bytearray:
        """So many bytes."""
        values = bytearray(count)
        left = memoryview(values)
        kept = min(count, len(self._read))
        left[:kept] = self._read[:kept]
        del self._read[:kept]
        left = left[kept:]
        while left:
            left = left[self._read_into(left) :]
        return values

    def _read_into(self, values: memoryview) -> int:
        """How many bytes came, one at least."""
        while True:
            try:
                count = os.readv(self._output, [values])
            except BlockingIOError:
                self._wait(self._output, select.POLLIN)
                continue
            if not count:
                raise EOFError
            return count

    def _wait(self, pipe: int, event: int) -> None:
        stillness = Stillness(self._process_id)
        ready = select.poll()
        ready.register(pipe, event)
        while (left := self._deadline - time.monotonic()) > 0:
            self._check()
            if ready.poll(1000 * min(left, LOOK_SECONDS)):
                return
            if stillness.look():
                raise StoodStill
        raise DeadlineExpired


def _widen(pipe: int) -> None:
    """Let a pipe hold more than the kernel's 64 KiB, where it can and may."""
    option = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux
    if option is None:
        return
    try:
        fcntl.fcntl(pipe, option, _PIPE_BYTES)
    except OSError:  # all pipes of this user together hold too much
        return
