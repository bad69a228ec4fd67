"""The space beside a database that deleting gets on a full disk."""

import shutil
import stat

import pytest

from store import reserve
from store.database import Database
from store.reserve import SIZE, give_reserve_back, keep_reserve


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes of the disk are free."""

    def set_free(count):
        monkeypatch.setattr(reserve.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, count))

    return set_free


def kept(settings):
    return sorted(settings.data_dir.glob("*-reserve"))


def test_space_is_taken_while_there_is_enough_and_given_back_on_a_full_disk(database, settings, free):
    free(4 * SIZE - 1)
    keep_reserve(database)
    assert kept(settings) == []
    free(4 * SIZE)
    keep_reserve(database)
    (path,) = kept(settings)
    assert path.stat().st_blocks * 512 >= SIZE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    give_reserve_back(database)
    assert kept(settings) == [path]
    free(SIZE - 1)
    give_reserve_back(database)
    give_reserve_back(database)
    assert kept(settings) == []


def test_a_database_that_is_elsewhere_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database("postgresql+psycopg://localhost/pouf")
    keep_reserve(database)
    give_reserve_back(database)
    assert list(tmp_path.iterdir()) == []
