"""A worker that shuts down ends in time, whatever its processes wait for."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil

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
        assert process.wait(20) == -signal.SIGKILL
    holder.close()
