"""Predictions of a job's items in pages: in an order, narrowed, and complete."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.predicted.conftest import CLASSES, Predicted


@pytest.fixture
def pages(api: Any) -> Callable[..., list[dict[str, Any]]]:
    """Reads every page of a job's predictions."""

    def read(job_id: str, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = api.get(f"/v1/jobs/{job_id}/predictions", params={**query, **cursor})
            assert answer.status_code == 200, answer.text
            document = answer.json()
            found += document["data"]
            if not document["has_more"]:
                assert document["next_cursor"] is None
                return found
            cursor = {"cursor": document["next_cursor"]}

    return read


def test_each_item_is_listed_once_in_the_order_of_the_dataset(predicted: Any, pages: Any) -> None:
    job: Predicted = predicted(30)
    found = pages(job.job_id, limit=7)
    assert [(item["sha256"], item["name"]) for item in found] == list(job.names.items())
    for item in found:
        record = job.record(item["sha256"])
        assert item["label"] == CLASSES[record["label"]]
        assert item["runner_up"] == CLASSES[record["runner_up"]]
        assert item["zero_shot_label"] == CLASSES[record["zero_shot_label"]]
        assert item["probability"] == pytest.approx(record["probability"])
        assert item["margin"] == pytest.approx(record["probability"] - record["runner_up_probability"])
        assert item["changed"] == (record["label"] != record["zero_shot_label"])
        assert item["action"] == ("accept" if record["probability"] >= 0.6 else "review")
        assert item["text"] is None


def test_the_closest_come_first_when_sorted_by_margin(predicted: Any, pages: Any) -> None:
    job = predicted(30)
    found = pages(job.job_id, sort="margin", limit=4)
    margins = [item["margin"] for item in found]
    assert margins == sorted(margins)
    assert {item["sha256"]: item["name"] for item in found} == job.names


@pytest.mark.parametrize("order", ["dataset", "margin"])
@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"changed": "true"}, lambda item: item["changed"]),
        ({"changed": "false"}, lambda item: not item["changed"]),
        ({"below": "0.6"}, lambda item: item["probability"] < 0.6),
        ({"label": "green"}, lambda item: item["label"] == "green"),
        (
            {"label": "green", "changed": "true", "below": "0.9"},
            lambda item: item["label"] == "green" and item["changed"] and item["probability"] < 0.9,
        ),
    ],
)
def test_they_are_narrowed(predicted: Any, pages: Any, query: Any, holds: Any, order: str) -> None:
    job = predicted(30)
    everything, found = pages(job.job_id, sort=order), pages(job.job_id, sort=order, limit=3, **query)
    assert found == [item for item in everything if holds(item)]
    assert 0 < len(found) < len(everything)


def test_below_the_threshold_there_is_no_class_and_somebody_is_to_look(predicted: Any, pages: Any) -> None:
    job = predicted(30, threshold=0.7, accepted_from=0.7)
    found = pages(job.job_id)
    assert {item["label"] is None for item in found} == {True, False}
    for item in found:
        unsure = item["probability"] < 0.7
        assert ((item["label"] is None), (item["action"] == "review")) == (unsure, unsure)


def test_a_threshold_that_an_audit_measured_takes_the_place_of_the_proposed_one(
    predicted: Any, pages: Any, rows: Any
) -> None:
    job = predicted(30, threshold=0.0, accepted_from=None)
    rows.model_of(job.job_id, audited_threshold=0.7)
    for item in pages(job.job_id):
        assert (item["label"] is None) == (item["action"] == "review") == (item["probability"] < 0.7)


def test_everything_is_to_be_reviewed_where_no_threshold_is_good_enough(predicted: Any, pages: Any) -> None:
    assert {item["action"] for item in pages(predicted(8, accepted_from=None).job_id)} == {"review"}


def test_the_job_names_the_url(predicted: Any, api: Any) -> None:
    job = predicted(3)
    urls = api.get(f"/v1/jobs/{job.job_id}").json()["urls"]
    assert len(api.get(urls["predictions"]).json()["data"]) == 3


class TestRefused:
    def test_a_class_that_is_none(self, predicted: Any, api: Any, refused: Any) -> None:
        answer = api.get(f"/v1/jobs/{predicted(3).job_id}/predictions", params={"label": "mauve"})
        refused(answer, 422, "unknown_class", "/query/label")

    @pytest.mark.parametrize("query", ["below=2", "below=nan", "format=xml", "sort=name", "limit=0", "cursor=!"])
    def test_other_parameters(self, predicted: Any, api: Any, query: str) -> None:
        assert api.get(f"/v1/jobs/{predicted(3).job_id}/predictions?{query}").status_code == 422

    def test_a_job_that_goes_on(self, rows: Any, api: Any, refused: Any) -> None:
        refused(api.get(f"/v1/jobs/{rows.job('running')}/predictions"), 409, "job_not_finished")

    @pytest.mark.parametrize("path", [("running", "succeeded"), ("cancelled",)])
    def test_a_job_without_predictions(self, rows: Any, api: Any, refused: Any, path: tuple[str, ...]) -> None:
        refused(api.get(f"/v1/jobs/{rows.job(*path)}/predictions"), 404, "predictions_not_found")

    def test_a_job_of_an_older_version_with_what_to_do(self, rows: Any, api: Any, refused: Any) -> None:
        for model_id, advised in (("mdl_1", True), (None, False)):
            job_id = rows.job("running", "succeeded", model_id=model_id)
            problem = refused(api.get(f"/v1/jobs/{job_id}/predictions"), 404, "predictions_not_found")
            assert ("POST /v1/batch-predictions" in problem["detail"]) == advised

    def test_after_the_dataset_was_deleted(self, predicted: Any, api: Any, refused: Any) -> None:
        job = predicted(3)
        assert api.delete(f"/v1/datasets/{job.dataset_id}").status_code == 204
        refused(api.get(f"/v1/jobs/{job.job_id}/predictions"), 404, "predictions_not_found")
        assert "predictions" not in api.get(f"/v1/jobs/{job.job_id}").json()["urls"]

    def test_a_job_of_somebody_else(self, rows: Any, api: Any, refused: Any) -> None:
        job_id = rows.job("running", "succeeded", owner="somebody else")
        refused(api.get(f"/v1/jobs/{job_id}/predictions"), 404, "job_not_found")

    def test_when_the_storage_has_lost_them(self, predicted: Any, rows: Any, api: Any, refused: Any) -> None:
        job = predicted(3)
        shutil.rmtree(rows.storage.local_directory(job.key))
        refused(api.get(f"/v1/jobs/{job.job_id}/predictions"), 500, "predictions_missing")
