import errno
import sqlite3
import tempfile

import pytest

from cli.exit_codes import ExitCode
from cli.failures import explain

FULL = [
    OSError(errno.ENOSPC, "No space left on device", "/data/a"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    sqlite3.OperationalError("database or disk is full"),
    RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
]


@pytest.mark.parametrize("error", FULL)
def test_a_full_disk_is_told_as_one_whichever_package_meets_it(error):
    failure = explain(error)
    assert (failure.message, failure.exit_code) == ("The disk is full. Make space, then try again.", ExitCode.FAILED)


def no_temporary_folder() -> str:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")


def test_where_no_temporary_files_can_be_made_what_is_missing_is_told(monkeypatch):
    monkeypatch.setattr(tempfile, "_get_default_tempdir", no_temporary_folder)
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.mkdtemp()
    failure = explain(caught.value)
    assert failure.exit_code == ExitCode.FAILED
    assert "no folder for temporary files" in failure.message and "TMPDIR" in failure.message


def test_a_fault_is_told_even_where_its_trace_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "_get_default_tempdir", no_temporary_folder)
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    failure = explain(RuntimeError("odd"))
    assert failure.exit_code == ExitCode.INTERNAL
    assert "RuntimeError: odd" in failure.message and "could not be written" in failure.message
