"""Modules that are run to their end: what they are given and say comes over whole, and one that hangs is ended."""

import os
import signal
import subprocess
import threading

import psutil
import pytest

from pouf_core.data import process_watch
from pouf_core.data.tied_run import run_tied
from tests.waiting import WAIT_SECONDS, has_ended, processes_with, wait_for

LARGE = b"0123456789" * 300_000
#: Ends by itself never.
SERVER = ("http.server", "0", "--bind", "127.0.0.1")


def test_what_it_is_given_and_what_it_says_come_over_whole() -> None:
    ran = run_tied("base64", "-e", seconds=WAIT_SECONDS, given=LARGE)
    assert ran.returncode == 0
    assert len(ran.stdout) > len(LARGE)
    failed = run_tied("base64", "--no-such-option", seconds=WAIT_SECONDS)
    assert failed.returncode != 0
    assert b"usage" in failed.stdout + failed.stderr


def test_one_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_tied(*SERVER, seconds=0.05)
    assert not processes_with("http.server")


def test_one_that_was_stopped_is_ended_long_before_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_watch, "STILL_SECONDS", 5 * process_watch.LOOK_SECONDS)
    found: list[psutil.Process] = []

    def stop() -> None:
        found.extend(wait_for(lambda: processes_with("http.server")))
        os.kill(found[0].pid, signal.SIGSTOP)

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(subprocess.TimeoutExpired):
        run_tied(*SERVER, seconds=10 * WAIT_SECONDS)
    stopping.join()
    assert has_ended(found[0])
