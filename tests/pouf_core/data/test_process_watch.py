"""Processes that do nothing are told from those that work, and end with those below them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from pouf_core.data import process_watch
from pouf_core.data.process_watch import Stillness, kill_with_those_below, seconds_computed
from tests.waiting import has_ended, wait_for

#: Starts a process that does what it is told, and waits for it.
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
SPIN = "while True: pass"
SLEEP = "import time; print(flush=True); time.sleep(1000)"


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            kill_with_those_below(process.pid)


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_watch, "STILL_SECONDS", 3 * process_watch.LOOK_SECONDS)


def test_a_process_that_computes_nothing_stands_still_after_so_many_looks() -> None:
    with running(SLEEP) as process:
        assert process.stdout is not None
        process.stdout.readline()
        stillness = Stillness(process.pid)
        wait_for(stillness.look)
        assert stillness.look()


def test_a_process_that_waits_for_one_that_computes_does_not_stand_still_and_one_that_is_stopped_does() -> None:
    with running(PARENT, SPIN) as process:
        wait_for(psutil.Process(process.pid).children)
        stillness = Stillness(process.pid)
        (child,) = psutil.Process(process.pid).children()
        for _ in range(5):
            before = seconds_computed(process.pid)
            wait_for(lambda before=before: seconds_computed(process.pid) > before)  # type: ignore[misc]
            assert not stillness.look()
        child.suspend()
        wait_for(stillness.look)


def test_those_below_a_process_are_killed_with_it_though_they_are_stopped() -> None:
    with running(PARENT, SPIN) as process:
        child = wait_for(psutil.Process(process.pid).children)[0]
        for each in (child.pid, process.pid):
            os.kill(each, signal.SIGSTOP)
        kill_with_those_below(process.pid)
        process.wait()
        wait_for(lambda: has_ended(child))


def test_a_process_that_is_gone_has_computed_nothing() -> None:
    with running("") as process:
        process.wait()
        assert seconds_computed(process.pid) == 0
