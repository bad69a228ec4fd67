"""The supervisor over stand-in parts; tests/e2e runs it over the real ones."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from cli import CommandError
from cli import supervisor as module
from cli.data_directory import DataDirectory
from cli.processes import Service, marked_processes
from cli.supervisor import up
from cli.users import using
from store.settings import Settings
from tests.waiting import WAIT_SECONDS, wait_for

pytestmark = pytest.mark.alone  # it sends signals to itself

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
DEAF = (sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(600)")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `up` over these parts; calls `act` when it is ready, and returns what was said."""

    def run_up(*commands, act=None, ready=True, until_unused=False, **settings) -> list[str]:
        parts = [Service(f"part{i}", command) for i, command in enumerate(commands)]
        monkeypatch.setattr(module, "services", lambda settings, gpus, temporary: parts)
        monkeypatch.setattr(module, "why_not_ready", lambda url: None if ready else "not yet")
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            if line.startswith("Ready") and act:
                threading.Thread(target=act).start()

        up(
            Settings(data_dir=tmp_path, port=0, redis_url="redis://127.0.0.1:1/0", **settings),
            say,
            until_unused=until_unused,
        )
        return said

    # A test run in the background starts with some of these ignored, which the supervisor respects.
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOPPING}
    yield run_up
    for number, handler in before.items():
        signal.signal(number, handler)
    assert marked_processes(tmp_path) == []


def tell_us(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_stops_everything(run, number):
    said = run(SLEEP, SLEEP, act=lambda: tell_us(number))
    assert said[0].startswith("Starting")
    assert said[-1] == "Stopped"


def test_what_is_for_its_users_alone_stops_when_the_last_has_left(run, tmp_path):
    left = threading.Event()

    def use():
        with using(tmp_path):
            in_use.set()
            left.wait(WAIT_SECONDS)

    in_use = threading.Event()
    user = threading.Thread(target=use)
    user.start()
    in_use.wait(WAIT_SECONDS)
    said = run(SLEEP, act=left.set, until_unused=True)
    user.join()
    assert said[-1] == "Stopped"


def test_the_port_zero_is_a_free_one(run):
    said = run(SLEEP, act=lambda: tell_us(signal.SIGTERM))
    assert not any(":0 " in line for line in said)


def test_a_part_that_ignores_sigterm_is_killed_after_the_grace(run, monkeypatch):
    monkeypatch.setattr(module.Supervisor, "_stop_seconds", 0.5)

    def stop_soon():
        time.sleep(0.5)
        tell_us(signal.SIGTERM)

    started = time.monotonic()
    run(DEAF, act=stop_soon)
    assert time.monotonic() - started < 500  # it sleeps for 600


def test_a_second_signal_does_not_wait_for_the_grace(run):
    def stop_twice():
        time.sleep(0.5)
        tell_us(signal.SIGINT)
        time.sleep(0.5)
        tell_us(signal.SIGINT)

    started = time.monotonic()
    run(DEAF, act=stop_twice, cancel_grace_seconds=100)
    assert time.monotonic() - started < 500


def test_a_part_that_does_not_start_ends_the_start_with_its_reason(run):
    broken = (sys.executable, "-c", "raise SystemExit('the reason\\nand what follows it')")
    with pytest.raises(CommandError, match=r"part1 does not start; log: .*part1\.log\n(.*\n)*the reason\nand what"):
        run(SLEEP, broken, ready=False)


def test_a_part_that_dies_is_reported_and_restarted(run, tmp_path):
    first, second = tmp_path / "first start", tmp_path / "second start"
    script = (
        f"import time; from pathlib import Path; first, second = Path({str(first)!r}), Path({str(second)!r})\n"
        "if first.exists(): second.touch(); time.sleep(60)\n"
        "first.touch()"
    )

    def stop_when_back():
        wait_for(second.exists)
        tell_us(signal.SIGTERM)

    said = run((sys.executable, "-c", script), act=stop_when_back)
    assert any(line.startswith("part0 ended (exit status 0); starting it again in 0.5 s") for line in said)
    assert any(line.startswith("part0 started again") for line in said)


def test_what_an_earlier_run_left_is_ended_first(run, tmp_path):
    from cli.processes import Child

    left = Child(Service("left", SLEEP), DataDirectory(tmp_path).root, tmp_path / "left.log")
    left.start()
    said = run(SLEEP, act=lambda: tell_us(signal.SIGTERM))
    assert "Ended 1 process(es) that an earlier run had left" in said
    assert not left.running()


def test_the_signal_handlers_of_before_are_put_back(run):
    before = signal.getsignal(signal.SIGTERM)
    run(SLEEP, act=lambda: tell_us(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored(run):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def hang_up_then_stop():
        tell_us(signal.SIGHUP)
        time.sleep(1)
        tell_us(signal.SIGTERM)

    started = time.monotonic()
    run(SLEEP, act=hang_up_then_stop)
    assert time.monotonic() - started >= 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_under_its_output_does_not_end_the_supervisor(monkeypatch):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        module.say("worker ended")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
