"""Cancelling, pausing, resuming and retrying jobs."""

import pytest

from app.jobs import service
from pouf_core.contract.findings import finding
from pouf_core.contract.result import PartialResult
from store.tables import Job
from tests.app.jobs.outbox import tasks
from tests.rows import PATHS

# what each request makes of a job in each status: a status, or the code of a 409
REQUESTS = {
    "cancel": {
        "queued": "cancelled",
        "running": "cancelling",
        "pausing": "cancelling",
        "paused": "cancelled",
        "cancelling": "cancelling",
        "cancelled": "cancelled",
        "succeeded": "job_already_finished",
        "failed": "job_already_finished",
    },
    "pause": {
        "queued": "paused",
        "running": "pausing",
        "pausing": "pausing",
        "paused": "paused",
        "cancelling": "job_not_pausable",
        "cancelled": "job_not_pausable",
        "succeeded": "job_not_pausable",
        "failed": "job_not_pausable",
    },
    "resume": {
        "queued": "queued",
        "running": "running",
        "pausing": "job_still_pausing",
        "paused": "queued",
        "cancelling": "job_not_paused",
        "cancelled": "job_not_paused",
        "succeeded": "job_not_paused",
        "failed": "job_not_paused",
    },
    "retry": {
        "queued": "queued",
        "running": "job_not_retryable",
        "pausing": "job_not_retryable",
        "paused": "job_not_retryable",
        "cancelling": "job_not_retryable",
        "cancelled": "queued",
        "succeeded": "job_not_retryable",
        "failed": "queued",
    },
}


@pytest.mark.parametrize(
    ("request_name", "before", "after"),
    [(name, before, after) for name, table in REQUESTS.items() for before, after in table.items()],
)
def test_requests_change_the_status_or_say_that_it_is_impossible(api, rows, refused, request_name, before, after):
    job_id = rows.job(*PATHS[before])
    response = api.post(f"/v1/jobs/{job_id}/{request_name}")
    if after in PATHS:
        assert response.status_code == (202 if request_name == "retry" else 200)
        assert response.json()["status"] == after
        again = api.post(f"/v1/jobs/{job_id}/{request_name}")
        assert (again.json()["status"], again.json()["status_transitions"]) == (
            after,
            response.json()["status_transitions"],
        )
    else:
        refused(response, 409, after)
        assert response.headers["x-should-retry"] == ("true" if after == "job_still_pausing" else "false")
        assert api.get(f"/v1/jobs/{job_id}").json()["status"] == before


def test_a_retried_job_starts_over_under_its_id(api, rows, database):
    job_id = rows.job("running")
    with database.write() as session:
        job = session.get_one(Job, job_id)
        job.attempt, job.lost_attempts, job.step, job.total_steps = 3, 3, 7, 10
        job.error_code, job.error_message = "worker_lost", "lost"
        told = [finding("c", "m")]
        job.result = PartialResult(
            warnings=told, verdict="harmful", verdict_reasons=told, fallback="zero_shot", selected_step=3
        )
    rows.move(job_id, "failed")
    job = api.post(f"/v1/jobs/{job_id}/retry").json()
    assert (job["id"], job["attempt"], job["error"], job["warnings"]) == (job_id, 0, None, [])
    assert (job["started_at"], job["finished_at"], job["progress"]["step"]) == (None, None, 0)
    assert (job["verdict"], job["verdict_reasons"], job["fallback"], job["selected_step"]) == (None, [], None, None)
    assert tasks(database) == [("pouf.train", "train", {"job_id": job_id})]


def test_a_resumed_job_is_sent_again(api, rows, database):
    job_id = rows.job("paused")
    api.post(f"/v1/jobs/{job_id}/resume")
    assert tasks(database) == [("pouf.train", "train", {"job_id": job_id})]


def test_a_job_is_not_queued_again_without_end(api, rows, refused, monkeypatch):
    monkeypatch.setattr(service, "MOST_TRANSITIONS", 4)
    job_id = rows.job()
    for action in ("pause", "resume", "cancel"):
        assert api.post(f"/v1/jobs/{job_id}/{action}").status_code == 200
    refused(api.post(f"/v1/jobs/{job_id}/retry"), 409, "job_history_full")
    assert len(api.get(f"/v1/jobs/{job_id}").json()["status_transitions"]) == 4


def test_a_job_whose_dataset_was_deleted_cannot_be_retried(api, rows, refused):
    dataset_id = rows.dataset()
    job_id = rows.job("failed", dataset_id=dataset_id)
    api.delete(f"/v1/datasets/{dataset_id}")
    refused(api.post(f"/v1/jobs/{job_id}/retry"), 409, "dataset_deleted")
