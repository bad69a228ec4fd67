"""Files that were read otherwise than they were meant are read again."""

import pytest

from tests.app.inline_worker import InlineWorker

AMBIGUOUS = "Titel,Inhalt\n" + "".join(f"one title {n},one body {n}\n" for n in range(12))


@pytest.fixture
def work(settings, tmp_path):
    worker = InlineWorker(settings, tmp_path / "artifact")
    return worker.work


def test_a_table_that_did_not_tell_is_read_by_the_column_that_was_meant(api, work):
    made = api.post("/v1/datasets", files=[("files", ("a.csv", AMBIGUOUS))]).json()
    work()
    failed = api.get(made["urls"]["self"]).json()
    assert failed["error"]["code"] == "table_ambiguous", failed
    again = api.post(f"/v1/datasets/{made['id']}/read-again", json={"text_column": "Inhalt"})
    assert (again.status_code, again.json()["status"], again.json()["error"]) == (202, "ingesting", None)
    repeated = api.post(f"/v1/datasets/{made['id']}/read-again", json={"text_column": "Inhalt"})
    assert (repeated.status_code, repeated.json()["updated_at"]) == (202, again.json()["updated_at"])
    work()
    read = api.get(made["urls"]["self"]).json()
    assert (read["status"], read["item_count"], read["readings"][0]["text_column"]) == ("ready", 12, 1)


def test_a_ready_dataset_is_read_with_other_labels(api, work, picture):
    files = [("files", (f"{colour}/1.png", picture(colour))) for colour in ("red", "blue")]
    made = api.post("/v1/datasets", files=files).json()
    work()
    assert api.get(made["urls"]["self"]).json()["labelled_count"] == 2
    api.post(f"/v1/datasets/{made['id']}/read-again", json={"labels": "none"})
    work()
    read = api.get(made["urls"]["self"]).json()
    assert (read["status"], read["item_count"], read["labelled_count"]) == ("ready", 2, 0)


@pytest.mark.parametrize(
    ("status", "code"),
    [("uploading", "dataset_not_finalized"), ("ingesting", "dataset_being_read"), ("ready", "dataset_in_use")],
)
def test_what_somebody_rests_on_does_not_change(api, rows, refused, status, code):
    dataset = rows.dataset(status)
    rows.job("running", "failed", dataset_id=dataset)
    refused(api.post(f"/v1/datasets/{dataset}/read-again", json={}), 409, code)


def test_what_cannot_be_meant_is_refused(api, rows, refused):
    place = f"/v1/datasets/{rows.dataset()}/read-again"
    refused(api.post(place, json={"encoding": "klingon"}), 422, "invalid_value", "/encoding")
    refused(api.post(place, json={"name": "other"}), 422, "unknown_field", "/name")
