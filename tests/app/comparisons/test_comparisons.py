"""Two jobs over one dataset, compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from store.tables import DatasetItem
from tests.app.predicted.conftest import CLASSES, Predicted


@pytest.fixture
def compared(api: Any) -> Any:
    def get(first: Predicted, second: Predicted, **query: Any) -> Any:
        jobs = f"{first.job_id},{second.job_id}"
        answer = api.get("/v1/jobs/compare", params={"jobs": jobs, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def pair(predicted: Any, predict: Any) -> tuple[Predicted, Predicted]:
    first = predicted(60)
    return first, predict(first.dataset_id, first.names, seed=1)


def test_they_agree_where_both_say_the_same_class(pair: Any, compared: Any) -> None:
    first, second = pair
    found = compared(first, second, limit=100)
    same = first.stored.records["label"] == second.stored.records["label"]
    assert found["agreement"] == pytest.approx(same.mean())
    assert found["differing_count"] == len(found["differing"]) == (~same).sum()
    assert [job["id"] for job in found["jobs"]] == [first.job_id, second.job_id]
    assert (found["item_count"], found["labelled_count"], found["difference"]) == (60, 0, None)
    for item in found["differing"]:
        assert item["name"] == first.names[item["sha256"]]
        for job, said in zip(pair, item["predictions"], strict=True):
            record = job.record(item["sha256"])
            assert (said["label"], said["probability"]) == (CLASSES[record["label"]], record["probability"])
        assert item["predictions"][0]["label"] != item["predictions"][1]["label"]
    sureness = [min(said["probability"] for said in item["predictions"]) for item in found["differing"]]
    assert sureness == sorted(sureness, reverse=True)


def test_the_items_on_which_they_differ_come_in_pages(pair: Any, compared: Any) -> None:
    whole, names, cursor = compared(*pair, limit=100), [], {}
    while True:
        found = compared(*pair, limit=7, **cursor)
        names += [item["name"] for item in found["differing"]]
        if not found["has_more"]:
            break
        cursor = {"cursor": found["next_cursor"]}
    assert names == [item["name"] for item in whole["differing"]]


def test_labels_tell_which_is_right_more_often(pair: Any, compared: Any, rows: Any) -> None:
    first, second = pair
    with rows.database.write() as session:  # as the first says, all but every tenth
        for place, (sha256, name) in enumerate(first.names.items()):
            item = session.query(DatasetItem).filter_by(name=name, dataset_id=first.dataset_id).one()
            label = CLASSES[first.record(sha256)["label"]].upper()
            item.label = "something else" if place % 10 == 0 else label
    found = compared(first, second)
    labelled = [sha256 for place, sha256 in enumerate(first.names) if place % 10]
    right = np.mean([first.record(one)["label"] == second.record(one)["label"] for one in labelled])
    assert found["labelled_count"] == 54
    assert [job["accuracy"] for job in found["jobs"]] == pytest.approx([1.0, right])
    assert found["difference"] == pytest.approx(right - 1)
    low, high = found["difference_interval"]
    assert low < right - 1 < high < 0
    for job in found["jobs"]:
        assert job["interval"][0] <= job["accuracy"] <= job["interval"][1]


def test_classes_are_compared_by_name(predicted: Any, predict: Any, compared: Any) -> None:
    first = predicted(40)
    second = predict(first.dataset_id, first.names, seed=1, class_names=["blue", "green", "violet"])
    found = compared(first, second, limit=100)
    names = [[job.stored.header.class_names[label] for label in job.stored.records["label"]] for job in (first, second)]
    assert found["agreement"] == pytest.approx(np.mean([one == other for one, other in zip(*names, strict=True)]))
    assert {item["predictions"][1]["label"] for item in found["differing"]} <= {"blue", "green", "violet"}


def test_items_that_were_uploaded_again_by_other_names_are_the_same_items(
    pair: Any, predict: Any, compared: Any, rows: Any
) -> None:
    first, second = pair
    again = rows.dataset(item_count=len(first.names))
    renamed = {sha256: f"renamed/{name}" for sha256, name in first.names.items()}
    with rows.database.write() as session:
        session.add_all(
            DatasetItem(dataset_id=again, name=name, sha256=sha256, status="accepted", label=CLASSES[0])
            for sha256, name in renamed.items()
        )
    other = predict(again, renamed, seed=1)
    found = compared(first, other, limit=100)
    assert found["differing"] == compared(first, second, limit=100)["differing"] != []
    assert (found["dataset_id"], found["labelled_count"]) == (first.dataset_id, len(renamed))


def test_answers_of_people_tell_which_is_right_more_often(pair: Any, compared: Any, api: Any) -> None:
    first, second = pair
    assert compared(first, second)["by_answers"] is None
    url = f"/v1/jobs/{second.job_id}/audits"
    audit = api.post(url, json={"size": 40, "seed": 1}).json()
    assert compared(first, second)["by_answers"] is None
    answers = [
        {"item": item["sha256"], "label": CLASSES[second.record(item["sha256"])["label"]]} for item in audit["items"]
    ]
    sent = api.put(f"{url}/{audit['id']}/answers", json={"answers": answers})
    assert sent.status_code == 200, sent.text
    found = compared(first, second)["by_answers"]
    assert (found["audit_id"], found["answers"]) == (audit["id"], 40)
    before, after = found["accuracies"]
    assert after["value"] == pytest.approx(1.0)
    assert found["difference"]["value"] == pytest.approx(after["value"] - before["value"])
    low, high = found["difference"]["interval"]
    assert 0 < low < found["difference"]["value"] < high
    # as each answer stands for the items of its stratum, so is the share on which both agree
    assert before["interval"][0] < compared(first, second)["agreement"] < before["interval"][1]


class TestRefused:
    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_other_than_two_jobs(self, pair: Any, api: Any, refused: Any, count: int) -> None:
        answer = api.get("/v1/jobs/compare", params={"jobs": ",".join([pair[0].job_id] * count)})
        refused(answer, 422, "two_jobs_needed", "/query/jobs")

    def test_jobs_over_two_datasets(self, pair: Any, predicted: Any, api: Any, refused: Any) -> None:
        jobs = f"{pair[0].job_id},{predicted(5).job_id}"
        refused(api.get("/v1/jobs/compare", params={"jobs": jobs}), 422, "different_datasets", "/query/jobs")

    def test_a_job_that_is_unknown_or_goes_on(self, pair: Any, rows: Any, api: Any, refused: Any) -> None:
        mine = pair[0].job_id
        refused(api.get("/v1/jobs/compare", params={"jobs": f"{mine},job_none"}), 404, "job_not_found")
        other = rows.job("running", "succeeded", owner="somebody else")
        refused(api.get("/v1/jobs/compare", params={"jobs": f"{mine},{other}"}), 404, "job_not_found")
        refused(api.get("/v1/jobs/compare", params={"jobs": f"{mine},{rows.job()}"}), 409, "job_not_finished")
