"""Batch predictions over HTTP: asked for, read, cancelled, deleted; what cannot be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from store.clock import utcnow
from store.ids import new_id
from store.retention import prune
from store.scope import Scope
from store.tables import BatchPrediction
from store.usage import stored_bytes
from tests.rows import Rows

URL = "/v1/batch-predictions"


@pytest.fixture
def create(api: Any) -> Callable[..., Any]:
    def post(model: str, dataset_id: str, key: str | None = None, **fields: Any) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return api.post(URL, json={"model": model, "dataset_id": dataset_id, **fields}, headers=headers)

    return post


@pytest.fixture
def batch(rows: Rows) -> Callable[..., str]:
    return rows.batch


def test_one_is_queued_and_its_worker_woken_up(create: Any, rows: Rows, api: Any, outbox: Any) -> None:
    model, dataset = rows.model(), rows.dataset(item_count=5)
    answer = create(model, dataset, name="new pictures", metadata={"week": "48"})
    assert answer.status_code == 202, answer.text
    document = answer.json()
    assert answer.headers["location"] == document["urls"]["self"] == f"{URL}/{document['id']}"
    assert (document["status"], document["model_id"], document["dataset_id"]) == ("queued", model, dataset)
    assert document["progress"] == {"step": 0, "total_steps": 5, "fraction": 0.0}
    assert (document["name"], document["metadata"]) == ("new pictures", {"week": "48"})
    assert api.get(document["urls"]["self"]).json() == document
    assert outbox()[-1] == ("pouf.predict", {"batch_id": document["id"]})


def test_it_predicts_by_what_the_model_serves_when_it_is_asked_for(create: Any, rows: Rows) -> None:
    model = rows.model(fallback="zero_shot", audited_threshold=0.7)
    batch_id = create(model, rows.dataset()).json()["id"]
    with rows.database.read() as session:
        batch = session.get_one(BatchPrediction, batch_id)
    assert (batch.variant, batch.threshold) == ("zero_shot", 0.7)


def test_a_model_may_be_named_by_its_alias(create: Any, rows: Rows, api: Any) -> None:
    model = rows.model()
    api.put("/v1/aliases/best", json={"model_id": model})
    assert create("best", rows.dataset()).json()["model_id"] == model


def test_the_same_key_gives_the_same_one(create: Any, rows: Rows, refused: Any) -> None:
    model, dataset = rows.model(), rows.dataset()
    first, again = (create(model, dataset, key="k") for _ in range(2))
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    refused(create(model, rows.dataset(), key="k"), 422, "idempotency_key_reused")


class TestRefused:
    def test_an_unknown_model_or_dataset(self, create: Any, rows: Rows, refused: Any) -> None:
        refused(create("mdl_none", rows.dataset()), 404, "model_not_found")
        refused(create(rows.model(), "ds_none"), 404, "dataset_not_found")

    def test_those_of_somebody_else(self, create: Any, rows: Rows, refused: Any) -> None:
        refused(create(rows.model(owner="other"), rows.dataset()), 404, "model_not_found")
        refused(create(rows.model(), rows.dataset(owner="other")), 404, "dataset_not_found")

    def test_items_of_another_modality(self, create: Any, rows: Rows, refused: Any) -> None:
        refused(create(rows.model(), rows.dataset(modality="text")), 422, "wrong_modality", "/dataset_id")
        texts = rows.model()
        rows.storage.put_stream(f"models/{texts}/pouf.json", [json.dumps({"modality": "text"}).encode()])
        refused(create(texts, rows.dataset()), 422, "wrong_modality", "/dataset_id")
        assert create(texts, rows.dataset(modality="text")).status_code == 202

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("uploading", "dataset_not_finalized"),
            ("ingesting", "dataset_not_ready"),
            ("failed", "dataset_failed"),
        ],
    )
    def test_a_dataset_that_is_not_ready(self, create: Any, rows: Rows, refused: Any, status: str, code: str) -> None:
        refused(create(rows.model(), rows.dataset(status)), 409, code)

    def test_a_model_whose_artifact_is_lost(self, create: Any, rows: Rows, refused: Any) -> None:
        model = rows.model()
        rows.storage.delete(f"models/{model}")
        refused(create(model, rows.dataset()), 500, "artifact_missing")

    def test_more_than_the_key_allows(self, rows: Rows, make_key: Any, settings: Any, application: Any) -> None:
        token = make_key("alice", "write", "read", concurrent_jobs=1)
        with TestClient(application) as api:
            api.headers["Authorization"] = f"Bearer {token}"
            body = {"model": rows.model(owner="alice"), "dataset_id": rows.dataset(owner="alice")}
            assert api.post(URL, json=body).status_code == 202
            answer = api.post(URL, json=body)
            assert (answer.status_code, answer.json()["code"]) == (429, "concurrent_jobs_limit")


def test_they_are_listed_newest_first_and_by_status(api: Any, batch: Any) -> None:
    first, second = batch("queued"), batch("succeeded", name="second")
    batch("queued", owner="somebody else")
    ids = [one["id"] for one in api.get(URL).json()["data"]]
    assert ids == [second, first]
    assert [one["id"] for one in api.get(URL, params={"status": "queued"}).json()["data"]] == [first]
    assert [one["id"] for one in api.get(URL, params={"name": "second"}).json()["data"]] == [second]


@pytest.mark.parametrize(
    ("before", "after"), [("queued", "cancelled"), ("running", "cancelling"), ("cancelled", "cancelled")]
)
def test_one_is_cancelled(api: Any, batch: Any, before: str, after: str) -> None:
    assert api.post(f"{URL}/{batch(before)}/cancel").json()["status"] == after


def test_a_finished_one_cannot_be_cancelled_nor_an_unfinished_one_deleted(api: Any, batch: Any, refused: Any) -> None:
    refused(api.post(f"{URL}/{batch('succeeded')}/cancel"), 409, "batch_prediction_already_finished")
    refused(api.delete(f"{URL}/{batch('running')}"), 409, "batch_prediction_not_finished")


def test_a_failed_one_says_why(api: Any, batch: Any, refused: Any) -> None:
    failed = batch("failed", error_code="worker_lost", error_message="Three attempts were lost.")
    assert api.get(f"{URL}/{failed}").json()["error"]["code"] == "worker_lost"
    refused(api.get(f"{URL}/{failed}/predictions"), 404, "predictions_not_found")
    refused(api.get(f"{URL}/{batch('running')}/predictions"), 409, "batch_prediction_not_finished")


def test_waiting_ends_with_a_final_state(api: Any, batch: Any) -> None:
    answer = api.get(f"{URL}/{batch('succeeded')}", headers={"Prefer": "wait=5"})
    assert answer.json()["status"] == "succeeded"
    assert "retry-after" not in answer.headers


def test_its_predictions_are_answered_as_those_of_a_job(api: Any, batch: Any, predicted: Any) -> None:
    job = predicted(12)
    done = batch("succeeded", job.dataset_id, predictions_key=job.key)
    assert api.get(f"{URL}/{done}").json()["urls"]["predictions"] == f"{URL}/{done}/predictions"
    pages = [api.get(f"{url}/predictions").json() for url in (f"{URL}/{done}", f"/v1/jobs/{job.job_id}")]
    assert pages[0] == pages[1]
    sent = api.get(f"{URL}/{done}/predictions", params={"format": "csv", "sort": "margin"})
    assert f"{done}.csv" in sent.headers["content-disposition"]
    assert len(sent.text.splitlines()) == 13


@pytest.fixture
def stored(rows: Rows, batch: Any) -> tuple[str, str, str]:
    """The ids of a finished one and its dataset, and the key of its predictions."""
    dataset_id, key = rows.dataset(), f"predictions/{new_id('bat')}"
    rows.storage.put_stream(f"{key}/predictions.npy", [b"abc"])
    return batch("succeeded", dataset_id, predictions_key=key, predictions_bytes=3), dataset_id, key


def test_nothing_is_left_of_a_deleted_one(
    api: Any, rows: Rows, stored: tuple[str, str, str], settings: Any, refused: Any
) -> None:
    batch_id, _, key = stored
    with rows.database.read() as session:
        before = stored_bytes(Scope(session, "local"))
    assert api.delete(f"{URL}/{batch_id}").status_code == 204
    refused(api.get(f"{URL}/{batch_id}"), 404, "batch_prediction_not_found")
    assert not rows.storage.exists(key)
    with rows.database.read() as session:
        assert stored_bytes(Scope(session, "local")) == before - 3


def test_its_predictions_go_with_the_dataset_whose_row_stays_as_long_as_it(
    api: Any, rows: Rows, stored: tuple[str, str, str], settings: Any
) -> None:
    batch_id, dataset_id, key = stored
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    assert not rows.storage.exists(key)
    assert "predictions" not in api.get(f"{URL}/{batch_id}").json()["urls"]
    now = utcnow() + timedelta(days=settings.keep_deleted_days + 1)
    assert prune(rows.database, rows.storage, settings, now)["deleted datasets"] == 0
    assert api.delete(f"{URL}/{batch_id}").status_code == 204
    assert prune(rows.database, rows.storage, settings, now)["deleted datasets"] == 1


def test_a_dataset_that_an_unfinished_one_needs_cannot_be_deleted(
    api: Any, rows: Rows, batch: Any, refused: Any
) -> None:
    dataset_id = rows.dataset()
    batch("running", dataset_id)
    refused(api.delete(f"/v1/datasets/{dataset_id}"), 409, "dataset_in_use")
