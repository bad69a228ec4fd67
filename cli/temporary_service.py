"""A service of our own for the length of a `with` block."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli import CommandError
from cli.addresses import LOOPBACK, base_url, free_port, why_not_ready
from cli.data_directory import DataDirectory, tail
from cli.tether import tethered

READY_SECONDS = 180.0
STOP_SECONDS = 60.0
# Where the parts run is the caller's choice; what they are is not: the demo must not write into other servers.
OWN_PARTS = ("POUF_REDIS_URL", "POUF_DATABASE_URL", "POUF_STORAGE_URL", "POUF_BOOTSTRAP_KEY", "POUF_KEY_PEPPER_FILE")


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
        CommandError: it does not get ready.
    """
    directory = DataDirectory(data_dir)
    directory.create()
    url_port = free_port(LOOPBACK)
    options = ["--host", LOOPBACK, "--port", str(url_port), "--data-dir", str(directory.root)]
    log = directory.log_file("up")
    started = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            tethered([sys.executable, "-m", "cli.main", "up", *options]),
            env={name: value for name, value in os.environ.items() if name not in OWN_PARTS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = base_url(LOOPBACK, url_port)
        _wait_until_ready(process, url, log)
        yield RunningService(url, process.pid, time.monotonic() - started)
    finally:
        stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while reason := why_not_ready(url):
        if process.poll() is not None:
            raise CommandError(f"The service ended before it was ready:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise CommandError(f"The service is not ready after {READY_SECONDS:g} s ({reason}):\n{tail(log)}")
        time.sleep(0.3)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the supervisor to stop everything, and wait until it has."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
