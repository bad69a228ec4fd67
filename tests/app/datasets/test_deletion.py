"""Deleting datasets."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.datasets import service
from store.feature_files import owner_directory
from store.tables import DatasetItem
from tests.app.datasets.uploading import create


def test_a_deleted_dataset_is_gone_with_its_files(api, storage, refused):
    dataset_id = create(api, [("a.png", b"a")]).json()["id"]
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    refused(api.get(f"/v1/datasets/{dataset_id}"), 404, "dataset_not_found")
    refused(api.delete(f"/v1/datasets/{dataset_id}"), 404, "dataset_not_found")
    assert api.get("/v1/datasets").json()["data"] == []
    assert not storage.exists(f"datasets/{dataset_id}")


def test_a_dataset_is_deleted_though_the_database_goes_away_before_its_items_have(api, rows, database, monkeypatch):
    def items(dataset_id: str) -> int:
        with database.read() as session:
            return len(session.scalars(select(DatasetItem.id).where(DatasetItem.dataset_id == dataset_id)).all())

    def away(*_: object) -> None:
        raise OperationalError("DELETE", {}, Exception("database is locked"))

    whole, interrupted = rows.dataset(), rows.dataset()
    for dataset_id in (whole, interrupted):
        rows.picture(dataset_id, b"a")
    assert api.delete(f"/v1/datasets/{whole}").status_code == 204
    monkeypatch.setattr(service, "forget_rows", away)
    assert api.delete(f"/v1/datasets/{interrupted}").status_code == 204
    assert (items(whole), items(interrupted)) == (0, 1)
    assert api.get(f"/v1/datasets/{interrupted}").status_code == 404


def test_what_jobs_kept_of_an_owners_items_goes_with_a_dataset(api, rows, settings):
    kept = {owner: owner_directory(settings.feature_dir, owner) for owner in ("local", "another")}
    for directory in kept.values():
        directory.mkdir(parents=True)
    assert api.delete(f"/v1/datasets/{rows.dataset()}").status_code == 204
    assert {owner: directory.exists() for owner, directory in kept.items()} == {"local": False, "another": True}


@pytest.mark.parametrize("path", [(), ("running",), ("running", "pausing"), ("paused",), ("running", "cancelling")])
def test_a_dataset_that_an_unfinished_job_needs_cannot_be_deleted(api, rows, refused, path):
    dataset_id = rows.dataset()
    rows.job(*path, dataset_id=dataset_id)
    refused(api.delete(f"/v1/datasets/{dataset_id}"), 409, "dataset_in_use")
    assert api.get(f"/v1/datasets/{dataset_id}").status_code == 200


def test_a_dataset_of_finished_jobs_can_be_deleted(api, rows):
    dataset_id = rows.dataset()
    job_id = rows.job("running", "succeeded", dataset_id=dataset_id)
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    assert api.get(f"/v1/jobs/{job_id}").status_code == 200
