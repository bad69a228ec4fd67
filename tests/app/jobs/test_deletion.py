"""Finished jobs are deleted; their models stay."""

import pytest
from sqlalchemy import func, select

from store.tables import Job, JobEvent, JobMetric


@pytest.fixture
def ended(rows):
    """A succeeded job with events, numbers and a model, and the model's id."""
    job_id = rows.job("running", "succeeded")
    model_id = rows.model(job_id=job_id)
    with rows.database.write() as session:
        job = session.get_one(Job, job_id)
        job.model_id, job.predictions_key, job.predictions_bytes = model_id, f"predictions/{model_id}", 3
        session.add(JobMetric(job_id=job_id, step=1, data={"loss": 1.0}))
    rows.storage.put_stream(f"predictions/{model_id}/predictions.npy", [b"abc"])
    return job_id, model_id


def test_nothing_is_left_of_a_deleted_job_but_its_model(api, rows, ended, refused, settings, picture):
    job_id, model_id = ended
    log = settings.log_dir / f"{job_id}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("lines")
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    refused(api.get(f"/v1/jobs/{job_id}"), 404, "job_not_found")
    refused(api.delete(f"/v1/jobs/{job_id}"), 404, "job_not_found")
    assert api.get("/v1/jobs").json()["data"] == []
    with rows.database.read() as session:
        for table in (JobEvent, JobMetric):
            assert session.scalars(select(func.count()).select_from(table).where(table.job_id == job_id)).one() == 0
    assert not log.exists()
    assert not rows.storage.exists(f"predictions/{model_id}")
    assert api.get(f"/v1/models/{model_id}").json()["job_id"] == job_id
    assert api.post("/predict", data={"model": model_id}, files={"image": ("a.png", picture())}).status_code == 200


@pytest.mark.parametrize("path", [(), ("running",), ("paused",), ("running", "cancelling")])
def test_an_unfinished_job_is_not_deleted(api, rows, refused, path):
    job_id = rows.job(*path)
    refused(api.delete(f"/v1/jobs/{job_id}"), 409, "job_not_finished")
    assert api.get(f"/v1/jobs/{job_id}").status_code == 200


def test_the_job_of_somebody_else_is_not_deleted(api, rows, refused):
    job_id = rows.job("cancelled", owner="somebody else")
    refused(api.delete(f"/v1/jobs/{job_id}"), 404, "job_not_found")


def test_its_dataset_can_be_deleted_then(api, rows, ended):
    job_id, _ = ended
    dataset_id = api.get(f"/v1/jobs/{job_id}").json()["dataset_id"]
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204


def test_predictions_go_with_their_dataset(api, rows, ended):
    job_id, model_id = ended
    dataset_id = api.get(f"/v1/jobs/{job_id}").json()["dataset_id"]
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    assert not rows.storage.exists(f"predictions/{model_id}")
    with rows.database.read() as session:
        job = session.get_one(Job, job_id)
    assert (job.predictions_key, job.predictions_bytes) == (None, 0)
