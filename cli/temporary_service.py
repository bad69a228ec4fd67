"""A service of our own for the length of a `with` block, or until the last of several such blocks has ended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from cli import CommandError
from cli.addresses import LOOPBACK, base_url, free_port, why_not_ready
from cli.data_directory import START_FAILURE_LINES, DataDirectory, tail
from cli.tether import tethered
from cli.users import is_used, starting, using

POLL_SECONDS = 0.3
TELL_SECONDS = 60.0
NO_LOG = "It wrote nothing: is the disk full?"
STOP_SECONDS = 60.0
# Where the parts run is the caller's choice; what they are is not: the demo must not write into other servers.
OWN_PARTS = ("POUF_REDIS_URL", "POUF_DATABASE_URL", "POUF_STORAGE_URL", "POUF_BOOTSTRAP_KEY", "POUF_KEY_PEPPER_FILE")

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunningService:
    """A ready service."""

    url: str
    pid: int
    seconds_to_ready: float


@contextmanager
def temporary_service(data_dir: Path) -> Iterator[RunningService]:
    """Run `pouf up` on a free port over `data_dir`, with the embedded parts; it has stopped when the block ends.

    Raises:
        CommandError: it ends before it is ready.
    """
    directory = DataDirectory(data_dir)
    directory.create()
    started = time.monotonic()
    process, url = _start(directory, tethered)
    try:
        _wait_until_ready(process, url, directory, partial(typer.echo, err=True))
        yield RunningService(url, process.pid, time.monotonic() - started)
    finally:
        stop(process)


@contextmanager
def shared_service(data_dir: Path, say: Say) -> Iterator[str]:
    """The address of the service on `data_dir`: the one that runs there, or one that ends when its last user has.

    Raises:
        CommandError: it ends before it is ready.
    """
    directory = DataDirectory(data_dir)
    directory.create()
    process = None
    try:
        with using(directory.root):
            with starting(directory.root):
                url = directory.served_at()
                if url is None:
                    say(f"Starting a service for the time (data: {directory.root})")
                    process, url = _start(directory, list, "--until-unused")
                    _stop_unless_ready(process, url, directory, say)
                else:
                    say(f"Using the service at {url}")
                    _wait_while_it_starts(url, directory, say)
            yield url
    finally:
        _wait_until_gone(directory, process)


def _start(
    directory: DataDirectory, wrapped: Callable[[list[str]], list[str]], *options: str
) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port(LOOPBACK)
    place = ["--host", LOOPBACK, "--port", str(port), "--data-dir", str(directory.root)]
    with directory.log_file("up").open("ab") as output:
        process = subprocess.Popen(
            wrapped([sys.executable, "-m", "cli.main", "up", *place, *options]),
            env={name: value for name, value in os.environ.items() if name not in OWN_PARTS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, base_url(LOOPBACK, port)


def _stop_unless_ready(process: subprocess.Popen[bytes], url: str, directory: DataDirectory, say: Say) -> None:
    try:
        _wait_until_ready(process, url, directory, say)
    except BaseException:
        stop(process)
        raise


def _wait_until_gone(directory: DataDirectory, process: subprocess.Popen[bytes] | None) -> None:
    """Return when the service that one has stopped using has ended, unless others use it, or it was there before."""
    deadline = time.monotonic() + STOP_SECONDS
    while directory.ends_unused() and not is_used(directory.root) and time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            return
        time.sleep(0.1)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, directory: DataDirectory, say: Say) -> None:
    log = directory.log("up")

    def end() -> str | None:
        if process.poll() is None:
            return None
        return f"The service ended before it was ready; log: {log}\n{tail(log, START_FAILURE_LINES) or NO_LOG}"

    _wait(url, end, say)


def _wait_while_it_starts(url: str, directory: DataDirectory, say: Say) -> None:
    """Return when the service that somebody else has started is ready."""

    def end() -> str | None:
        return None if directory.served_at() == url else f"The service at {url} ended before it was ready."

    _wait(url, end, say)


def _wait(url: str, end: Callable[[], str | None], say: Say) -> None:
    """Return when a service is ready: on a busy machine, however long that takes.

    Raises:
        CommandError: it has ended, as `end` says.
    """
    told_at = time.monotonic()
    while reason := why_not_ready(url):
        if message := end():
            raise CommandError(message)
        if time.monotonic() - told_at > TELL_SECONDS:
            told_at = time.monotonic()
            say(f"The service is still starting ({reason})")
        time.sleep(POLL_SECONDS)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the supervisor to stop everything, and wait until it has."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
