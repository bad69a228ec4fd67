"""A disk without one free byte: what frees space is done all the same."""

from datetime import timedelta

import pytest

from store.clock import utcnow
from store.reserve import keep_reserve
from store.retention import prune
from store.tables import Dataset
from tests.chaos.disk import can_mount, small_disk

pytestmark = pytest.mark.skipif(not can_mount(), reason="only root may mount a disk, and only on Linux")


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        yield disk


@pytest.fixture
def settings(settings, disk):
    elsewhere = {"database_url": f"sqlite:///{disk.root}/pouf.db", "storage_url": f"file://{disk.root}/storage"}
    return settings.model_copy(update={"data_dir": disk.root, **elsewhere})


def a_dataset(api, rows, picture):
    return api.post("/v1/datasets", files={"files": ("a.png", picture())}, data={"finalize": "false"}).json()["id"]


def a_model(api, rows, picture):
    return rows.model()


def a_job(api, rows, picture):
    return rows.job("running", "failed")


@pytest.mark.parametrize(("what", "make"), [("datasets", a_dataset), ("models", a_model), ("jobs", a_job)])
def test_what_takes_space_is_deleted(api, rows, picture, disk, database, what, make):
    made = make(api, rows, picture)
    keep_reserve(database)
    disk.fill()
    answer = api.delete(f"/v1/{what}/{made}")
    assert answer.status_code == 204, answer.text
    assert api.get(f"/v1/{what}/{made}").status_code == 404


def test_a_job_is_cancelled_so_that_it_writes_no_more(api, rows, disk, database):
    job_id = rows.job("running")
    keep_reserve(database)
    disk.fill()
    assert api.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelling"


def test_what_is_too_old_goes(api, rows, disk, database, storage, settings):
    dataset_id = rows.dataset("uploading")
    with database.write() as session:
        session.get_one(Dataset, dataset_id).updated_at = utcnow() - timedelta(days=400)
    keep_reserve(database)
    disk.fill()
    assert prune(database, storage, settings, utcnow())["unfinished datasets"] == 1
