"""Jobs and models that another version stored with documents that this one cannot validate."""

import json

import pytest
from sqlalchemy import text

BROKEN = {
    "a field of another kind": lambda document: document | {"prompt_template": 7, "seed": "?", "warnings": 7},
    "a field that is not known": lambda document: document | {"of_the_future": 1, "verdict": "splendid"},
    "a field that is missing": lambda document: {key: document[key] for key in document if key != "class_names"},
    "no object": lambda _: 7,
}


@pytest.fixture(params=BROKEN)
def break_row(request, database):
    def change(table, row_id):
        with database.write() as session:
            (request_json, result_json) = session.execute(
                text(f"SELECT request, result FROM {table} WHERE id = :id"), {"id": row_id}
            ).one()
            broken = [json.dumps(BROKEN[request.param](json.loads(one))) for one in (request_json, result_json)]
            session.execute(
                text(f"UPDATE {table} SET request = :request, result = :result, summary = NULL WHERE id = :id"),
                {"request": broken[0], "result": broken[1], "id": row_id},
            )

    return change


def codes(document):
    return [warning["code"] for warning in document["warnings"]]


def test_a_job_that_cannot_be_read_in_full_is_shown_with_a_warning_beside_the_others(api, rows, break_row):
    good, bad = rows.job("running", "succeeded"), rows.job("running", "succeeded")
    break_row("jobs", bad)
    listed = {job["id"]: job for job in api.get("/v1/jobs").json()["data"]}
    assert set(listed) == {good, bad}
    assert (codes(listed[good]), codes(listed[bad])) == ([], ["stored_document_unreadable"])
    alone = api.get(f"/v1/jobs/{bad}")
    assert (alone.status_code, alone.json()["status"]) == (200, "succeeded")


def test_a_model_that_cannot_be_read_in_full_is_shown_with_a_warning_beside_the_others(api, rows, break_row):
    good, bad = rows.model(), rows.model()
    break_row("models", bad)
    listed = {model["id"]: model for model in api.get("/v1/models").json()["data"]}
    assert set(listed) == {good, bad}
    assert (codes(listed[good]), codes(listed[bad])) == ([], ["stored_document_unreadable"])
    assert api.get(f"/v1/models/{bad}").status_code == 200


def test_a_queued_job_that_cannot_be_read_in_full_can_be_cancelled(api, rows, break_row):
    job_id = rows.job()
    break_row("jobs", job_id)
    assert api.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
