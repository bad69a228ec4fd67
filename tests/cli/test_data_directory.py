import os
import shutil
import stat
import subprocess
import sys
import time
import traceback

import pytest

from cli import CommandError, data_directory
from cli.data_directory import DataDirectory, tail
from cli.processes import Child, Service
from tests.waiting import WAIT_SECONDS


@pytest.fixture
def directory(tmp_path):
    made = DataDirectory(tmp_path / "data")
    made.create()
    return made


def test_a_second_supervisor_is_refused_and_learns_who_holds_the_directory(directory):
    with (
        directory.locked("http://127.0.0.1:1234"),
        pytest.raises(CommandError, match=rf"process {os.getpid()}, http://127.0.0.1:1234"),
        DataDirectory(directory.root).locked("http://127.0.0.1:5678"),
    ):
        pass


def test_a_data_directory_is_free_again_after_use(directory):
    for _ in range(2):
        with directory.locked("http://127.0.0.1:1234"):
            pass


def test_a_killed_process_frees_the_data_directory(directory):
    script = (
        "import os, sys; from pathlib import Path; from cli.data_directory import DataDirectory\n"
        "with DataDirectory(Path(sys.argv[1])).locked('x'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(directory.root)], check=False)
    with directory.locked("http://127.0.0.1:1234"):
        pass


def test_the_brokers_folder_is_private(directory):
    assert stat.S_IMODE(directory.broker.stat().st_mode) == 0o700


def test_a_data_directory_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="Cannot use"):
        DataDirectory(tmp_path / "file" / "data").create()


def test_a_large_log_is_set_aside(directory, monkeypatch):
    monkeypatch.setattr(data_directory, "LOG_ROTATE_BYTES", 10)
    directory.log_file("api").write_text("x" * 11)
    path = directory.log_file("api")
    assert path.read_text() == ""
    assert (directory.logs / "api.log.1").read_text() == "x" * 11


def test_a_log_stays_where_there_is_no_room_for_a_copy(directory, monkeypatch):
    monkeypatch.setattr(data_directory, "LOG_ROTATE_BYTES", 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    directory.log_file("api").write_text("x" * 11)
    assert directory.log_file("api").read_text() == "x" * 11
    assert not (directory.logs / "api.log.1").exists()


def test_a_log_is_set_aside_while_its_part_writes_on(directory, monkeypatch):
    monkeypatch.setattr(data_directory, "LOG_ROTATE_BYTES", 1000)
    writer = "import time\nwhile True: print('x' * 20, flush=True); time.sleep(0.002)"
    child = Child(Service("api", (sys.executable, "-c", writer)), directory.root, directory.log_file("api"))
    child.start()
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (directory.logs / "api.log.1").exists():
            assert time.monotonic() < deadline
            assert child.restart_when_due() is None
            time.sleep(0.01)
        small = child.log.stat().st_size
        while child.log.stat().st_size <= small:  # goes on at the start of the emptied file
            assert time.monotonic() < deadline
        assert child.log.read_bytes().startswith(b"x")
    finally:
        child.kill()


def test_the_tail_is_the_last_lines(tmp_path):
    log = tmp_path / "log"
    log.write_text("\n".join(str(i) for i in range(100)))
    assert tail(log, 2) == "98\n99"
    assert tail(tmp_path / "missing") == ""


def test_the_tail_leaves_out_the_frames_of_tracebacks(tmp_path):
    log = tmp_path / "log"
    try:
        raise ValueError("the reason")
    except ValueError:
        log.write_text(f"before\n{traceback.format_exc()}\n")
    assert tail(log) == "before\nValueError: the reason"


def test_the_tail_keeps_indented_lines_that_are_no_frames(tmp_path):
    log = tmp_path / "up.log"
    log.write_text("The settings are wrong:\n  POUF_PORT: no number\n")
    assert tail(log) == "The settings are wrong:\n  POUF_PORT: no number"
