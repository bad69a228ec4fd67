import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cli import data_directory, processes
from cli.processes import Child, Service, end_marked_processes, exit_text, marked_processes
from tests.waiting import command_of, has_ended, wait_for

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
STUBBORN = (sys.executable, "-c", DEAF)


@pytest.fixture
def child(tmp_path):
    made = []

    def make(command, log=tmp_path / "part.log", **environment) -> Child:
        made.append(Child(Service("part", tuple(command), environment), tmp_path, log))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.kill()
    end_marked_processes(tmp_path, grace_seconds=0)


def test_output_goes_to_the_log_and_the_environment_is_added(child):
    script = "import os; print(os.environ['EXTRA'], os.environ['PATH'] != '')"
    made = child([sys.executable, "-c", script], EXTRA="here")
    wait_for(lambda: not made.running())
    assert made.log.read_text() == "here True\n"


def test_a_child_that_died_starts_again_after_a_growing_pause(child, monkeypatch):
    monkeypatch.setattr(processes, "FIRST_RESTART_SECONDS", 0.1)
    monkeypatch.setattr(processes, "STEADY_SECONDS", 1000)
    made = child(SLEEP)
    for pause in ("0.1", "0.2", "0.4"):
        pid = made.pid
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not made.running())
        died_at = time.monotonic()
        said = made.restart_when_due()
        assert "SIGKILL" in said and said.endswith(f"in {pause} s")
        wait_for(made.restart_when_due)
        assert time.monotonic() - died_at >= float(pause)
        assert made.running() and made.pid != pid
    assert made.failures == 3


def test_a_steady_run_resets_the_restart_pause(child, monkeypatch):
    made = child(SLEEP)
    made.failures = 5
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    made.kill()
    assert "in 0.5 s" in made.restart_when_due()


def test_a_child_that_cannot_be_started_is_tried_again(child, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "FIRST_RESTART_SECONDS", 0.01)
    (tmp_path / "logs").mkdir()
    made = child(SLEEP, log=tmp_path / "logs" / "part.log")
    made.kill()
    assert made.restart_when_due().startswith("part ended")
    (tmp_path / "logs").rename(tmp_path / "away")
    assert "part cannot be started ([Errno 2]" in wait_for(made.restart_when_due)
    (tmp_path / "away").rename(tmp_path / "logs")
    while not made.running():
        wait_for(made.restart_when_due)


def test_a_log_that_cannot_be_set_aside_ends_nothing(child, monkeypatch):
    made = child(SLEEP)
    monkeypatch.setattr(data_directory, "LOG_ROTATE_BYTES", 0)
    made.log.write_text("a line\n")
    made.log.with_name("part.log.1").mkdir()
    assert made.restart_when_due() is None
    assert made.running() and made.log.read_text() == "a line\n"


def test_a_running_child_is_left_alone(child):
    made = child(SLEEP)
    assert made.restart_when_due() is None
    assert made.failures == 0


def test_a_kill_takes_the_whole_group(child, tmp_path):
    script = f"import subprocess, time; print(subprocess.Popen({list(SLEEP)!r}).pid, flush=True); time.sleep(600)"
    made = child([sys.executable, "-c", script])
    wait_for(lambda: made.log.read_text().strip())
    grandchild = psutil.Process(int(made.log.read_text()))
    made.kill()
    wait_for(lambda: has_ended(grandchild))


def test_what_an_earlier_run_left_is_found_and_ended_even_if_it_ignores_sigterm(child, tmp_path):
    # A session of its own, as a job's process has, and deaf to SIGTERM.
    script = f"import subprocess; subprocess.Popen({list(STUBBORN)!r}, start_new_session=True)"
    made = child([sys.executable, "-c", script])
    wait_for(lambda: not made.running() and made.log.read_text())
    assert len(marked_processes(tmp_path)) == 1
    assert end_marked_processes(tmp_path, grace_seconds=0.2) == 1
    assert marked_processes(tmp_path) == []


def test_processes_of_another_data_directory_are_left_alone(child, tmp_path):
    made = child(SLEEP)
    assert end_marked_processes(tmp_path / "other", grace_seconds=0) == 0
    assert made.running()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal is Linux only")
def test_a_child_ends_when_its_supervisor_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from cli.processes import Child, Service\n"
        f"child = Child(Service('part', {SLEEP!r}), Path({str(tmp_path)!r}), Path({str(tmp_path / 'part.log')!r}))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path.cwd()) as supervisor:
        orphan = psutil.Process(int(supervisor.stdout.readline()))
        # The request to the kernel is made before the command itself replaces the wrapper.
        wait_for(lambda: "tether.py" not in " ".join(command_of(orphan.pid)))
        supervisor.kill()
    wait_for(lambda: has_ended(orphan))


def test_an_exit_is_described_by_its_status_or_signal():
    assert exit_text(3) == "exit status 3"
    assert exit_text(-9) == "signal SIGKILL"
