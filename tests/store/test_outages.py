"""Which errors are outages, and how they are waited out."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from store import outages
from store.database import Database, Patience
from store.outages import StorageUnavailable, is_database_outage, is_outage, patiently
from store.storage import Storage


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(outages, "LONGEST_WAIT", 0.01)


def test_an_outage_is_waited_out_however_long_it_lasts(at_once: None) -> None:
    answers = iter([*[StorageUnavailable("away")] * 40, None])

    def work() -> str:
        failure = next(answers)
        if failure is not None:
            raise failure
        return "done"

    assert patiently(work) == "done"


def test_an_error_of_the_work_itself_is_raised_at_once(at_once: None) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        patiently(work)
    assert len(tries) == 1


def test_waiting_ends_when_the_work_is_not_wanted_any_more(at_once: None) -> None:
    class NotWanted(Exception):
        pass

    def check() -> None:
        raise NotWanted

    def away() -> None:
        raise StorageUnavailable("away")

    with pytest.raises(NotWanted):
        patiently(away, check)


def test_a_missing_file_is_an_outage_only_without_a_directory_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "none").read_bytes()
    assert not is_outage(missing.value)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError) as gone:
        tempfile.mkdtemp()
    assert is_outage(gone.value)


def test_a_locked_database_is_an_outage_and_a_wrong_statement_is_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    database = Database(url, Patience(busy=0.05))
    with database.write() as session:
        session.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
    with sqlite3.connect(tmp_path / "a.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError) as locked, database.write():
            pass
    assert is_outage(locked.value)
    for statement in ("SELECT * FROM nothing", "INSERT INTO things VALUES (1), (1)"):
        with pytest.raises(DBAPIError) as wrong, database.write() as session:
            session.execute(text(statement))
        assert not is_database_outage(wrong.value)
    database.dispose()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EIO, "i/o"), True),
        (PermissionError(errno.EACCES, "denied"), True),
        (OSError(errno.EINVAL, "seek"), False),
        (FileNotFoundError("x"), False),
    ],
)
def test_what_the_machine_lacks_is_an_outage_and_what_a_file_is_like_is_none(error: OSError, expected: bool) -> None:
    assert is_outage(error) is expected


def test_a_process_that_starts_meanwhile_takes_an_empty_directory_for_no_storage(tmp_path: Path) -> None:
    def start() -> Storage:
        return Storage(f"file://{tmp_path}/root", tmp_path / "data/cache")

    start().put_stream("a/file", [b"1"])
    (tmp_path / "root").rename(tmp_path / "unmounted")
    for empty in (False, True):
        if empty:
            (tmp_path / "root").mkdir()  # where it will be mounted again
        other = start()
        with pytest.raises(StorageUnavailable):
            other.local("a/file")
        with pytest.raises(StorageUnavailable):
            other.put_stream("b/file", [b"2"])
    (tmp_path / "root").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "root")
    assert other.local("a/file").read_bytes() == b"1"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_directory_that_cannot_be_looked_into_is_an_outage(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, cache = f"file://{tmp_path}/root", tmp_path / "data/cache"
    storage = Storage(url, cache)
    storage.put_stream("a/file", [b"1"])

    look = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if tmp_path / "root" in path.parents:
            raise OSError(number, os.strerror(number), str(path))
        return look(path, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as away:
        away.setattr(Path, "stat", stat)
        for used in (storage, Storage(url, cache)):
            with pytest.raises(StorageUnavailable):
                used.local("a/file")
            with pytest.raises(StorageUnavailable):
                used.put_stream("b/file", [b"2"])
    assert storage.local("a/file").read_bytes() == b"1"


def test_a_directory_that_is_not_there_is_an_outage_and_is_not_made(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/root")
    storage.put_stream("a/file", [b"1"])
    storage.ping()
    (tmp_path / "root").rename(tmp_path / "unmounted")
    source = tmp_path / "source"
    source.write_bytes(b"2")
    calls: list[Any] = [
        storage.ping,
        lambda: storage.put_stream("a/other", [b"2"]),
        lambda: storage.put_file("a/other", source),
        lambda: storage.local("a/file"),
        lambda: storage.open("a/file"),
    ]
    for call in calls:
        with pytest.raises(StorageUnavailable):
            call()
    storage.discard("a")
    assert not (tmp_path / "root").exists()
    (tmp_path / "unmounted").rename(tmp_path / "root")
    assert storage.local("a/file").read_bytes() == b"1"
    with pytest.raises(FileNotFoundError) as missing:
        storage.local("a/other")
    assert not isinstance(missing.value, StorageUnavailable)
