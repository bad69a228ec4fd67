from dataclasses import replace

import pytest

from app.jobs import bodies
from pouf_core.contract.method import MethodSpec
from pouf_core.families.registry import describe
from store.tables import Job
from tests.app.jobs.outbox import tasks

CLASSES = ["bird", "boat"]


def create(api, dataset_id, /, **body):
    return api.post("/v1/jobs", json={"dataset_id": dataset_id, "class_names": CLASSES} | body)


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
