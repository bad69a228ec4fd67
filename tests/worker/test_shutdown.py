"""A worker that shuts down ends in time, whatever its processes wait for."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cli.data_directory import DataDirectory
from cli.supervisor import Supervisor
from store.settings import Settings
from store.shutdown_times import LAST_CHECKPOINT_SECONDS
from tests.waiting import WAIT_SECONDS
from worker import shutdown
from worker.shutdown import end_at_the_latest

WAITING_FOR_THE_DATABASE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
print("ready", flush=True)
connection.execute("BEGIN IMMEDIATE")
"""


def test_a_database_that_is_away_does_not_keep_a_worker_from_ending(tmp_path: Path) -> None:
    file = tmp_path / "held.db"
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    command = [sys.executable, "-c", WAITING_FOR_THE_DATABASE, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        end_at_the_latest([psutil.Process(process.pid)], 0.1)
        assert process.wait(WAIT_SECONDS) == -signal.SIGKILL
    holder.close()


def test_the_last_checkpoint_may_be_stored_before_anything_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    monkeypatch.setattr(shutdown, "end_at_the_latest", lambda processes, seconds: given.append(seconds))
    monkeypatch.setattr(shutdown, "request_shutdown", lambda: None)
    monkeypatch.setattr(shutdown, "get_settings", lambda: Settings(cancel_grace_seconds=7))
    shutdown._tell_pool_processes()
    supervisor = Supervisor(Settings(cancel_grace_seconds=7), DataDirectory(tmp_path), print)
    assert 7 + LAST_CHECKPOINT_SECONDS < given[0] < supervisor._stop_seconds
