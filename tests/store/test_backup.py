"""Backups of a database and a storage in use, brought back elsewhere."""

import errno
import hashlib
import json
import os
import sqlite3

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.main import create_app
from cli import main
from store import backup
from store.backup import BackupFailed, back_up, checked_manifest, restore
from store.database import Database, upgrade
from store.settings import Settings
from store.storage import Storage
from tests.app.colour_engine import ColourEngine
from tests.app.inline_worker import InlineWorker
from tests.rows import Rows


@pytest.fixture
def elsewhere(tmp_path):
    """Settings over another, empty directory."""
    made = Settings(
        data_dir=tmp_path / "elsewhere", device="cpu", threads=1, redis_url=None, allowed_hosts=["testserver"]
    )
    made.data_dir.mkdir()
    return made


@pytest.fixture
def in_use(api, settings, rows, picture, tmp_path):
    """The ids of a dataset with a picture, and of a model with an alias."""
    dataset = api.post("/v1/datasets", files={"files": ("a.png", picture())}, data={"name": "kept"}).json()["id"]
    InlineWorker(settings, tmp_path / "artifact").work()
    model = rows.model()
    api.put("/v1/aliases/best", json={"model_id": model})
    return {"dataset": dataset, "model": model}


def restored(settings: Settings, source) -> None:
    database = Database(settings.database_url)
    try:
        restore(database, Storage(settings.storage_url), source, checked_manifest(source))
    finally:
        database.dispose()


def test_what_was_backed_up_is_served_elsewhere(api, database, storage, in_use, elsewhere, picture, tmp_path):
    artifact = api.get(f"/v1/models/{in_use['model']}/artifact").content
    datasets = api.get("/v1/datasets").json()
    back_up(database, storage, tmp_path / "backup")
    restored(elsewhere, tmp_path / "backup")
    with TestClient(create_app(elsewhere, ColourEngine)) as other:
        assert other.get("/v1/datasets").json() == datasets
        assert other.get("/v1/models/best/artifact").content == artifact
        answer = other.post("/v1/models/best/predict", files={"image": ("a.png", picture("red"))})
        assert answer.json()["predictions"][0]["label"] == "red"
    sha256 = hashlib.sha256(picture()).hexdigest()
    kept = Storage(elsewhere.storage_url).local(f"datasets/{in_use['dataset']}/uploads/{sha256}")
    assert kept.read_bytes() == picture()


def test_predictions_are_backed_up(database, storage, rows, tmp_path):
    keys = ["predictions/mdl_1", "predictions/bat_1"]
    rows.job("running", "succeeded", predictions_key=keys[0])
    rows.batch("succeeded", predictions_key=keys[1])
    for key in keys:
        storage.put_stream(f"{key}/predictions.npy", [b"records"])
    back_up(database, storage, tmp_path / "backup")
    for key in keys:
        assert (tmp_path / "backup" / "storage" / key / "predictions.npy").read_bytes() == b"records"


def test_a_backup_leaves_out_what_is_deleted_while_it_is_made(
    api, database, storage, in_use, elsewhere, tmp_path, monkeypatch
):
    """The database is copied again, so that it names nothing that is not there."""
    real, copied = backup.copy_out, []

    def delete_after_the_first(*arguments):
        keys = real(*arguments)
        if not copied:
            assert api.delete(f"/v1/datasets/{in_use['dataset']}").status_code == 204
        copied.append(keys)
        return keys

    monkeypatch.setattr(backup, "copy_out", delete_after_the_first)
    back_up(database, storage, tmp_path / "backup")
    assert len(copied) == 2
    assert not (tmp_path / "backup" / "storage" / "datasets").exists() or not [
        path for path in (tmp_path / "backup" / "storage" / "datasets").rglob("*") if path.is_file()
    ]
    restored(elsewhere, tmp_path / "backup")
    with TestClient(create_app(elsewhere, ColourEngine)) as other:
        assert in_use["dataset"] not in other.get("/v1/datasets").text
        assert other.get(f"/v1/models/{in_use['model']}/artifact").status_code == 200


def test_a_backup_fails_when_the_storage_has_lost_a_file(database, storage, rows, tmp_path):
    model = rows.model()
    storage.delete(f"models/{model}")
    with pytest.raises(BackupFailed, match="lost files"):
        back_up(database, storage, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    assert not list(tmp_path.glob(".backup*"))


@pytest.mark.parametrize("harm", ["changed", "missing", "no manifest", "outside"])
def test_a_damaged_backup_changes_nothing(database, storage, in_use, elsewhere, tmp_path, harm):
    folder = tmp_path / "backup"
    back_up(database, storage, folder)
    file = next((folder / "storage").rglob("pouf.json"))
    if harm == "changed":
        file.write_bytes(b"x")
    elif harm == "missing":
        file.unlink()
    elif harm == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][-1]["path"] = "storage/../../pouf.db"
        (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackupFailed):
        restored(elsewhere, folder)
    assert not [path for path in (elsewhere.data_dir / "storage").rglob("*") if path.is_file()]


def test_backup_and_restore_overwrite_nothing(database, storage, in_use, settings, elsewhere, tmp_path):
    folder = tmp_path / "backup"
    back_up(database, storage, folder)
    with pytest.raises(BackupFailed, match="database is not empty"):
        restored(settings, folder)
    Storage(elsewhere.storage_url).put_stream("models/x", [b"x"])
    with pytest.raises(BackupFailed, match="storage is not empty"):
        restored(elsewhere, folder)
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(database, storage, folder)


def test_a_restore_that_finds_no_space_can_be_tried_again(database, storage, in_use, elsewhere, tmp_path, monkeypatch):
    back_up(database, storage, tmp_path / "backup")
    put_file, put = Storage.put_file, []

    def put_until_full(self, key, local_path):
        if len(put) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put.append(key)
        put_file(self, key, local_path)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "put_file", put_until_full)
        with pytest.raises(OSError, match="No space left"):
            restored(elsewhere, tmp_path / "backup")
    restored(elsewhere, tmp_path / "backup")
    assert all(Storage(elsewhere.storage_url).exists(key) for key in put)


def test_a_restore_that_finds_no_backup_makes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    new = tmp_path / "new"
    refused = CliRunner().invoke(main.app, ["restore", str(tmp_path / "empty"), "--data-dir", str(new)])
    assert refused.exit_code != 0
    assert not new.exists()


def test_a_backup_is_readable_by_its_owner_alone(database, storage, in_use, tmp_path):
    back_up(database, storage, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_the_commands_back_up_and_restore_and_name_what_else_to_keep(
    settings, in_use, make_key, elsewhere, tmp_path, monkeypatch
):
    make_key()
    monkeypatch.setenv("POUF_DATA_DIR", "")
    run = CliRunner().invoke
    made = run(main.app, ["backup", str(tmp_path / "backup"), "--data-dir", str(settings.data_dir)])
    assert made.exit_code == 0, made.output
    assert "key-pepper" in made.output
    brought = run(main.app, ["restore", str(tmp_path / "backup"), "--data-dir", str(elsewhere.data_dir)])
    assert brought.exit_code == 0, brought.output
    assert "key-pepper" in brought.output
    with sqlite3.connect(elsewhere.data_dir / "pouf.db") as connection:
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (1,)


def test_a_postgresql_database_is_restored(make_postgres_database, tmp_path):
    url = make_postgres_database()
    upgrade(url)
    database, storage = Database(url), Storage(f"file://{tmp_path}/storage")
    model = Rows(database, storage).model()
    back_up(database, storage, tmp_path / "backup")
    other = Database(make_postgres_database())
    source = tmp_path / "backup"
    restore(other, Storage(f"file://{tmp_path}/other"), source, checked_manifest(source))
    with other.engine.connect() as connection:
        assert backup.named_files(connection) == [f"models/{model}"]
    assert (tmp_path / "other" / "models" / model / "pouf.json").exists()
    database.dispose()
    other.dispose()
