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
    files = {"files": ("a.png", picture())}
    return "datasets/" + api.post("/v1/datasets", files=files, data={"finalize": "false"}).json()["id"]


def a_model(api, rows, picture):
    return f"models/{rows.model()}"


def a_job(api, rows, picture):
    return f"jobs/{rows.job('running', 'failed')}"


def an_audit(api, rows, picture):
    job_id = rows.job("running", "succeeded", model_id=rows.model())
    return f"jobs/{job_id}/audits/{rows.audit(job_id)}"


def a_webhook(api, rows, picture):
    return f"webhooks/{rows.webhook()}"


@pytest.mark.parametrize("make", [a_dataset, a_model, a_job, an_audit, a_webhook])
def test_what_takes_space_is_deleted(api, rows, picture, disk, database, make):
    url = f"/v1/{make(api, rows, picture)}"
    keep_reserve(database)
    disk.fill()
    answer = api.delete(url)
    assert answer.status_code == 204, answer.text
    assert api.get(url).status_code == 404


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
