"""Stored files that nothing refers to, told from those that something will refer to in a moment."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store import orphans
from store.clock import utcnow
from store.ids import new_id
from store.orphans import OrphanCollector, remove_abandoned_staging
from store.storage import Storage
from store.tables import AdaptedModel, BatchPrediction, Dataset, DatasetItem, Upload
from tests.waiting import WAIT_SECONDS

DAY = 24 * 3600


@pytest.fixture(params=["file", "memory"])
def storage(request, settings, tmp_path):
    return Storage(settings.storage_url if request.param == "file" else f"memory://{tmp_path}", tmp_path / "cache")


@pytest.fixture
def first(rows):
    """The database's first dataset, which is older than every orphan."""
    return rows.dataset()


@pytest.fixture
def collect(database, storage):
    """Collect what was stored before now, or so many seconds ago."""
    collector = OrphanCollector(database, storage)

    def collect(seconds=-1, **options):
        return sorted(file.key for file in collector.collect(time.time() - seconds, **options))

    return collect


def test_orphans_of_crashes_and_deletions_are_found_and_removed(first, rows, database, storage, collect):
    kept, gone = rows.dataset("uploading"), rows.dataset(deleted_at=utcnow())
    model, deleted = rows.model(), rows.model(deleted_at=utcnow())
    with database.write() as session:
        upload = {"position": 1, "filename": "a", "size": 1, "sha256": "a"}
        session.add(Upload(id=new_id("up"), dataset_id=kept, storage_key=f"datasets/{kept}/uploads/a", **upload))
        item = {"name": "b", "status": "accepted", "sha256": "b"}
        session.add(DatasetItem(dataset_id=kept, storage_key=f"datasets/{kept}/blobs/bb/b", **item))
    rows.job(predictions_key=f"predictions/{model}")
    batch = BatchPrediction(id=new_id("bat"), owner="local", status="succeeded", model_id=model, dataset_id=kept)
    batch.item_count, batch.predictions_key = 1, f"predictions/{batch.id}"
    with database.write() as session:
        session.add(batch)
    named = [
        f"datasets/{kept}/uploads/a",
        f"datasets/{kept}/blobs/bb/b",
        f"models/{model}/adapter.safetensors",
        f"predictions/{model}/predictions.npy",
        f"predictions/{batch.id}/predictions.npy",
    ]
    left = [
        f"datasets/{kept}/uploads/c",
        f"datasets/{kept}/uploads/.{new_id('tmp')}",
        f"datasets/{kept}/texts-1/texts.jsonl",
        f"datasets/{gone}/uploads/a",
        f"datasets/{new_id('ds')}/uploads/a",
        f"models/{deleted}/adapter.safetensors",
        f"models/{new_id('mdl')}/pouf.json",
        f"models/.{new_id('tmp')}/pouf.json",
        f"predictions/{deleted}/predictions.npy",
    ]
    for key in (*named, *left):
        storage.put_stream(key, [b"x"])
    found = collect(remove=False)
    assert found == [key for key in found if storage.exists(key)]
    assert set(left) <= set(found) and not set(named) & set(found)
    assert collect() == found
    assert [key for key in (*named, *left) if storage.exists(key)] == named
    assert collect() == []


def test_what_another_reading_of_a_dataset_leaves_is_found(first, rows, database, storage, collect):
    dataset = rows.dataset("ready")
    for fence in (0, 1):
        with database.write() as session:
            session.get_one(Dataset, dataset).fence = fence
        left = f"datasets/{dataset}/texts-{fence}/texts.jsonl"
        storage.put_stream(left, [b"x"])
        assert collect() == [left]


def test_a_folder_with_a_recent_file_is_left_alone(first, storage, collect):
    dataset_id = new_id("ds")
    for name in ("old", "new"):
        storage.put_stream(f"datasets/{dataset_id}/uploads/{name}", [b"x"])
        storage.put_stream(f"datasets/{first}/uploads/{name}", [b"x"])
    assert collect(3600) == []
    assert len(collect(remove=False)) == 4


def test_an_empty_or_other_database_finds_no_orphans(database, storage, collect):
    foreign = [f"datasets/{new_id('ds')}/uploads/a", f"models/{new_id('mdl')}/pouf.json"]
    for key in foreign:
        storage.put_stream(key, [b"x"])
    assert collect() == []
    with database.write() as session:
        session.add(Dataset(id=new_id("ds"), owner="local", modality="image", status="ready"))
    assert collect() == []


def test_a_dataset_is_left_alone_even_if_its_ingestion_begins_meanwhile(
    first, rows, database, storage, collect, monkeypatch
):
    ingesting, finalized = rows.dataset("ingesting"), rows.dataset("uploading")
    for dataset_id in (ingesting, finalized):
        storage.put_stream(f"datasets/{dataset_id}/blobs/aa/a", [b"x"])
    named = orphans._named

    def finalize_after_the_first_look(session, dataset_id, keys=None):
        with database.write() as other:
            other.get_one(Dataset, finalized).status = "ingesting"
        return named(session, dataset_id, keys)

    monkeypatch.setattr(orphans, "_named", finalize_after_the_first_look)
    assert collect() == []
    assert storage.exists(f"datasets/{finalized}/blobs/aa/a")


class TestOverTheApi:
    @pytest.fixture
    def storage(self, settings):
        return Storage(settings.storage_url)

    @pytest.mark.parametrize("appended", [True, False])
    def test_a_running_upload_is_protected_by_its_age_however_long_it_took_to_arrive(
        self, first, api, application, rows, storage, collect, picture, monkeypatch, appended
    ):
        path = f"/v1/datasets/{rows.dataset('uploading')}/files" if appended else "/v1/datasets"
        stored, go_on = threading.Event(), threading.Event()
        put_file = application.state.pouf.storage.put_file

        def put_and_wait(key: str, local_path: Path, *, move: bool = False) -> None:
            os.utime(local_path, (time.time() - 2 * DAY,) * 2)
            put_file(key, local_path, move=move)
            stored.set()
            assert go_on.wait(WAIT_SECONDS)

        monkeypatch.setattr(application.state.pouf.storage, "put_file", put_and_wait)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(api.post, path, files={"files": ("a.png", picture())})
            assert stored.wait(WAIT_SECONDS)
            assert len(collect(remove=False)) == 1  # nothing but its age keeps it
            assert collect(DAY) == []
            go_on.set()
            dataset = answer.result(WAIT_SECONDS).json()
        assert (dataset["upload_count"], collect()) == (1, [])
        [upload] = api.get(f"/v1/datasets/{dataset['id']}/files").json()["data"]
        assert storage.exists(f"datasets/{dataset['id']}/uploads/{upload['sha256']}")

    def test_a_staging_directory_is_kept_as_long_as_it_is_written_to(self, tmp_path):
        for name in ("abandoned", "running"):
            (tmp_path / name).mkdir()
            for file in ("0", "1"):
                (tmp_path / name / file).write_bytes(b"x")
            for path in (*(tmp_path / name).iterdir(), tmp_path / name):
                os.utime(path, (time.time() - 2 * DAY,) * 2)
        (tmp_path / "running" / "1").write_bytes(b"more")
        assert remove_abandoned_staging(tmp_path, time.time() - DAY) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["running"]

    def test_a_deletion_that_was_cut_short_is_completed(
        self, first, api, application, rows, database, storage, monkeypatch
    ):
        model_id = rows.model()

        def crash(key):
            raise OSError("gone")

        monkeypatch.setattr(application.state.pouf.storage, "delete", crash)
        assert api.delete(f"/v1/models/{model_id}").status_code == 500
        with database.read() as session:
            assert session.get_one(AdaptedModel, model_id).deleted_at is not None
        monkeypatch.undo()
        for file in storage.local_directory(f"models/{model_id}").iterdir():
            os.utime(file, (time.time() - 2 * DAY,) * 2)
        assert {file.key for file in OrphanCollector(database, storage).collect(time.time() - DAY)} == {
            f"models/{model_id}/adapter.safetensors",
            f"models/{model_id}/pouf.json",
        }
        assert not storage.exists(f"models/{model_id}")
