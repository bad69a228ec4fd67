"""Following a job: unchanged documents, waiting, metrics, and the time that is left."""

import threading
import time
from datetime import datetime

import pytest

from store.clock import utcnow
from store.tables import Job, JobMetric


def test_an_unchanged_job_is_not_sent_again(api, rows):
    job_id = rows.job()
    first = api.get(f"/v1/jobs/{job_id}")
    headers = {"If-None-Match": first.headers["etag"]}
    unchanged = api.get(f"/v1/jobs/{job_id}", headers=headers)
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", first.headers["etag"])
    rows.move(job_id, "running")
    changed = api.get(f"/v1/jobs/{job_id}", headers=headers)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_waiting_answers_as_soon_as_the_job_is_final(api, rows):
    job_id = rows.job("running")
    timer = threading.Timer(0.5, rows.move, (job_id, "failed"))
    timer.start()
    response = api.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=30"})
    answered_at = utcnow()
    timer.join()
    ended_at = response.json()["finished_at"]
    assert response.json()["status"] == "failed"
    assert (answered_at - datetime.fromisoformat(ended_at)).total_seconds() < 25


def test_waiting_ends_after_the_given_seconds(api, rows):
    job_id = rows.job("running")
    started = time.monotonic()
    response = api.get(f"/v1/jobs/{job_id}", headers=[("Prefer", "respond-async"), ("Prefer", "wait=1")])
    assert response.json()["status"] == "running"
    assert time.monotonic() - started > 0.9


def test_fifty_waiting_requests_do_not_hold_up_others(api, rows):
    job_id = rows.job("running")

    def wait() -> None:
        api.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=30"})

    threads = [threading.Thread(target=wait) for _ in range(50)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert api.get("/v1/jobs").status_code == 200
    assert all(thread.is_alive() for thread in threads)  # it was not their end that let the other one through
    rows.move(job_id, "failed")
    for thread in threads:
        thread.join()


def test_metrics_come_in_order_of_steps_and_in_pages(api, rows, database):
    job_id = rows.job("running")
    with database.write() as session:
        session.add_all(JobMetric(job_id=job_id, step=step, data={"loss": 1 / (step + 1)}) for step in range(5))
    first = api.get(f"/v1/jobs/{job_id}/metrics?limit=3").json()
    assert [row["step"] for row in first["data"]] == [0, 1, 2]
    assert first["data"][1]["loss"] == 0.5
    rest = api.get(f"/v1/jobs/{job_id}/metrics", params={"cursor": first["next_cursor"]}).json()
    assert ([row["step"] for row in rest["data"]], rest["has_more"]) == ([3, 4], False)


def test_the_remaining_time_follows_the_recent_pace(api, rows, database):
    from datetime import UTC, datetime, timedelta

    job_id = rows.job("running")
    rows.move(job_id, "running", "training")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write() as session:
        job = session.get_one(Job, job_id)
        job.step, job.total_steps = 10, 30
        session.add_all(
            JobMetric(job_id=job_id, step=step, data={}, created_at=start + timedelta(seconds=2 * step))
            for step in range(1, 11)
        )
    progress = api.get(f"/v1/jobs/{job_id}").json()["progress"]
    assert progress["fraction"] == pytest.approx(1 / 3)
    assert progress["eta_at"] == "2026-01-01T00:01:00Z"


def test_a_job_without_steps_is_done_when_it_has_succeeded(api, rows, database):
    job_id = rows.job("running", step=0, total_steps=0)
    assert api.get(f"/v1/jobs/{job_id}").json()["progress"]["fraction"] is None
    rows.move(job_id, "succeeded")
    progress = api.get(f"/v1/jobs/{job_id}").json()["progress"]
    assert progress == {"step": 0, "total_steps": 0, "fraction": 1.0, "eta_at": None}
    assert api.get(f"/v1/jobs/{job_id}/metrics").json()["data"] == []
