import threading
import time
from dataclasses import replace
from datetime import datetime

import pytest

from app.jobs import bodies, service
from pouf_core.contract.findings import finding
from pouf_core.contract.method import MethodSpec
from pouf_core.contract.result import PartialResult
from pouf_core.families.registry import describe
from store.clock import utcnow
from store.tables import Job, JobMetric, OutboxMessage

CLASSES = ["bird", "boat"]


def create(api, dataset_id, /, **body):
    return api.post("/v1/jobs", json={"dataset_id": dataset_id, "class_names": CLASSES} | body)


def tasks(database):
    with database.read() as session:
        return [(row.task, row.queue, row.payload) for row in session.query(OutboxMessage).all()]


def test_a_job_over_a_ready_dataset_is_queued_and_sent(api, rows, database):
    dataset_id = rows.dataset()
    response = create(api, dataset_id, name="first", alias="best", metadata={"k": "v"}, seed=3)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(response.headers["retry-after"]) > 0
    assert job["id"].startswith("job_")
    assert (job["status"], job["stage"], job["queue_position"], job["attempt"]) == ("queued", None, 1, 0)
    assert (job["name"], job["alias"], job["metadata"], job["seed"]) == ("first", "best", {"k": "v"}, 3)
    assert tasks(database) == [("pouf.train", "train", {"job_id": job["id"]})]


def test_the_document_has_every_promised_field_from_the_first_day(api, rows):
    job = create(api, rows.dataset()).json()
    promised = (
        "object id name metadata status stage status_transitions progress queue_position attempt dataset_id base_model "
        "class_names method seed latest_metrics evaluation model_id error warnings created_at started_at finished_at "
        "urls verdict verdict_reasons fallback selected_step estimate"
    )
    assert set(promised.split()) <= set(job)
    assert set(job["progress"]) == {"step", "total_steps", "fraction", "eta_at"}
    empty = ("verdict", "fallback", "selected_step", "estimate", "evaluation", "error", "model_id")
    assert [job[name] for name in empty] == [None] * 7
    assert (job["verdict_reasons"], job["warnings"]) == ([], [])
    assert job["created_at"].endswith("Z")


def test_a_job_has_the_warnings_of_its_dataset_from_the_first_day_and_after_a_retry(api, rows):
    warning = {"code": "items_rejected", "message": "24 of 500 rows cannot be read as UTF-8."}
    job = create(api, rows.dataset(warnings=[warning])).json()
    assert job["warnings"] == [warning]
    events = api.get(f"/v1/jobs/{job['id']}/events").json()["data"]
    assert [(event["type"], event["data"]) for event in events][-1] == ("job.warning", warning)
    rows.move(job["id"], "failed")
    assert api.post(f"/v1/jobs/{job['id']}/retry").json()["warnings"] == [warning]


def test_a_job_waits_for_a_dataset_that_is_still_ingested(api, rows, database):
    job = create(api, rows.dataset("ingesting")).json()
    assert (job["status"], job["stage"]) == ("queued", "waiting_for_dataset")
    assert tasks(database) == []


def test_class_names_and_templates_keep_their_order_and_wording(api, rows):
    names = ["b", {"name": "a", "prompt": "an apple"}]
    job = create(api, rows.dataset(), class_names=names, prompt_template=["a {}.", "the {}."]).json()
    assert (job["class_names"], job["prompt_template"]) == (names, ["a {}.", "the {}."])


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        ({"type": "zero-shot"}, {}),
        ({"type": "zero-shot", "precision": "bfloat16"}, {}),
        ({"type": "prior-matching"}, {"class_prior": "auto"}),
        ({"type": "prior-matching", "class_prior": [0.25, 0.75]}, {}),
    ],
)
def test_a_baseline_is_queued_and_shows_only_the_settings_it_has(api, rows, database, method, shown):
    job = create(api, rows.dataset(), method=method).json()
    assert (job["status"], job["method"]) == ("queued", {"precision": "auto"} | method | shown)
    with database.read() as session:
        assert session.get_one(Job, job["id"]).request.method == MethodSpec.model_validate(method)


def test_a_base_model_that_cannot_be_tuned_can_still_be_a_baseline(api, rows, refused, monkeypatch):
    monkeypatch.setattr(bodies, "describe", lambda name: replace(describe("pouf-lite"), tune_modes=("head",)))
    refused(create(api, rows.dataset()), 422, "unsupported_tune", "/method/tune")
    for kind in ("zero-shot", "prior-matching"):
        assert create(api, rows.dataset(), method={"type": kind}).status_code == 202


def test_the_quality_is_fast_unless_best_is_asked_for_and_best_has_to_be_possible(api, rows, refused):
    assert create(api, rows.dataset()).json()["quality"] == "fast"
    assert create(api, rows.dataset(), quality="best").json()["quality"] == "best"
    refused(
        create(api, rows.dataset(), quality="best", method={"tune": "head"}), 422, "quality_not_available", "/quality"
    )


def test_a_transport_and_its_parameters_are_kept_with_the_job(api, rows):
    method = {"transport": "unbalanced", "unbalanced_marginal_penalty": 0.5, "class_prior": "none"}
    job = create(api, rows.dataset(), method=method).json()
    assert {name: job["method"][name] for name in method} == method


@pytest.mark.parametrize("field", ["dataset_id", "class_names"])
def test_a_missing_field_is_named(api, rows, refused, field):
    body = {"dataset_id": rows.dataset(), "class_names": CLASSES}
    del body[field]
    refused(api.post("/v1/jobs", json=body), 422, "missing_field", f"/{field}")


def test_a_foreign_dataset_is_not_found(api, rows, refused):
    refused(create(api, rows.dataset(owner="somebody else")), 422, "dataset_not_found", "/dataset_id")


def test_a_dataset_of_another_modality_is_refused(api, rows, refused):
    created = create(api, rows.dataset(modality="text"), base_model="pouf-lite")
    refused(created, 422, "wrong_modality", "/dataset_id")


@pytest.mark.parametrize(("status", "code"), [("uploading", "dataset_not_finalized"), ("failed", "dataset_failed")])
def test_a_dataset_that_cannot_be_used_is_a_conflict(api, rows, refused, status, code):
    refused(create(api, rows.dataset(status)), 409, code)


def test_queue_positions_count_from_one_in_order_of_arrival(api, rows):
    first, second, third = (rows.job() for _ in range(3))
    rows.move(first, "running")
    positions = {job["id"]: job["queue_position"] for job in api.get("/v1/jobs").json()["data"]}
    assert positions == {first: None, second: 1, third: 2}


def test_queue_positions_are_those_of_owners_who_take_turns(api, rows):
    mine = [rows.job() for _ in range(3)]
    rows.job(owner="another")
    rows.job("running", owner="a-third")
    rows.job(owner="a-third")
    positions = {job["id"]: job["queue_position"] for job in api.get("/v1/jobs").json()["data"]}
    assert [positions[job] for job in mine] == [1, 3, 5]


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
PATHS = {
    "queued": (),
    "running": ("running",),
    "pausing": ("running", "pausing"),
    "paused": ("paused",),
    "cancelling": ("running", "cancelling"),
    "cancelled": ("cancelled",),
    "succeeded": ("running", "succeeded"),
    "failed": ("failed",),
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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/cancel"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/metrics"),
        ("GET", "/report"),
    ],
)
def test_an_unknown_or_foreign_job_is_not_found(api, rows, refused, method, path):
    for job_id in ("job_unknown", rows.job(owner="somebody else")):
        refused(api.request(method, f"/v1/jobs/{job_id}{path}"), 404, "job_not_found")


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
