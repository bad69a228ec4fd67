"""A module run to its end in a process of its own, which has none of the service's secrets and ends with this one."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from pouf_core.data.lifeline import tied
from pouf_core.data.limited_process import environment
from pouf_core.data.process_watch import LOOK_SECONDS, STILL_SECONDS, Stillness, kill_with_those_below

_NOTHING: Mapping[str, str] = MappingProxyType({})


def run_tied(
    module: str, *arguments: str, seconds: float, given: bytes = b"", variables: Mapping[str, str] = _NOTHING
) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m module`; returns its exit status with what it printed.

    Args:
        module: what is run.
        arguments: of its command line.
        seconds: after which the process is killed.
        given: its standard input.
        variables: of its environment, beside those of `limited_process.environment`.

    Raises:
        subprocess.TimeoutExpired: it took too long, or stood still; it was killed with those below it.
    """
    with (
        tied(module, *arguments) as start,
        subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=start.pass_fds,
            env=environment() | dict(variables),
            start_new_session=True,
        ) as process,
    ):
        try:
            _give(process, given)
            output, said = _await(process, seconds)
        except BaseException:
            kill_with_those_below(process.pid)
            raise
        return subprocess.CompletedProcess(start.command, process.returncode, output, said)


def _give(process: subprocess.Popen[bytes], given: bytes) -> None:
    """Write beside what follows: `communicate` goes on reading where it was interrupted, but not writing."""
    stream, process.stdin = process.stdin, None
    assert stream is not None

    def write() -> None:
        with suppress(BrokenPipeError), stream:  # it need not read
            stream.write(given)

    threading.Thread(target=write, name="giving", daemon=True).start()


def _await(process: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytes]:
    until = time.monotonic() + seconds
    stillness = Stillness(process.pid)
    while True:
        try:
            return process.communicate(timeout=min(LOOK_SECONDS, max(until - time.monotonic(), 0)))
        except subprocess.TimeoutExpired as error:
            if time.monotonic() >= until:
                raise subprocess.TimeoutExpired(process.args, seconds) from error
            if stillness.look():
                raise subprocess.TimeoutExpired(process.args, STILL_SECONDS) from error
