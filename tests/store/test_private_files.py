import os
import stat

import pytest

from store.database import Database, upgrade
from store.private_files import append_to_log, close_to_others, make_data_private
from store.settings import Settings
from store.tables import Dataset


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_the_database_and_what_lies_beside_it_are_nobody_elses(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    make_data_private(settings)
    upgrade(settings.database_url)
    database = Database.of(settings)
    with database.write() as session:
        session.add(Dataset(id="ds_1", owner="o", modality="image", status="ready"))
    append_to_log(settings.log_dir / "api.log").close()
    names = {path.name: mode_of(path) for path in settings.data_dir.iterdir()}
    database.dispose()
    assert names == {"logs": 0o700, "pouf.db": 0o600, "pouf.db-wal": 0o600, "pouf.db-shm": 0o600}
    assert mode_of(settings.data_dir) == 0o700
    assert mode_of(settings.log_dir / "api.log") == 0o600


def test_what_was_open_to_others_is_mended_at_the_start(settings):
    settings.log_dir.mkdir()
    log, database = settings.log_dir / "api.log", settings.data_dir / "pouf.db"
    log.touch()
    for path, mode in ((settings.data_dir, 0o755), (settings.log_dir, 0o755), (log, 0o644), (database, 0o644)):
        path.chmod(mode)
    make_data_private(settings)
    upgrade(settings.database_url)
    assert [mode_of(path) for path in (settings.data_dir, settings.log_dir)] == [0o700] * 2
    assert [mode_of(path) for path in (log, database)] == [0o600] * 2


def test_what_is_shared_by_everybody_or_closed_enough_stays_as_it_is(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    close_to_others(shared, 0o700)
    assert mode_of(shared) == 0o1777
    stricter = tmp_path / "stricter"
    stricter.touch(0o400)
    close_to_others(stricter, 0o600)
    assert mode_of(stricter) == 0o400
    close_to_others(tmp_path / "missing", 0o600)
