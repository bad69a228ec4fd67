"""Audits over HTTP: drawn, answered, measured, applied."""

import pytest
from sqlalchemy import func, select

from store.tables import Audit, AuditAnswer, AuditItem, IdempotencyKey, Job
from tests.app.audits.conftest import url_of


def give(api, url, *answers, **fields):
    return api.put(f"{url}/answers", json={"answers": list(answers), **fields})


def test_an_audit_shows_what_was_predicted_for_each_drawn_item(api, audited):
    job, audit = audited
    assert (audit["object"], audit["size"], audit["seed"], audit["wished_accuracy"]) == ("audit", 30, 1, 0.95)
    assert audit["id"].startswith("aud_") and audit["urls"]["self"] == url_of(job, audit)
    items = audit["items"]
    assert len({item["sha256"] for item in items}) == 30
    shown = {row["sha256"]: row for row in api.get(f"/v1/jobs/{job.job_id}/predictions").json()["data"]}
    for item in items:
        row = shown[item["sha256"]]
        assert item["name"] == row["name"] == job.names[item["sha256"]]
        for name in ("label", "runner_up", "zero_shot_label", "changed", "text"):
            assert item[name] == row[name]
        assert item["probability"] == pytest.approx(row["probability"])
        assert item["thumbnail_url"].endswith(f"/items/{item['sha256']}/thumbnail")
        assert 0 < item["inclusion_probability"] <= 1
        assert (item["status"], item["answer"]) == ("unanswered", None)
    assert sum(item["part"] == "suspected" for item in items) >= 6
    assert audit["counts"]["unanswered"] == 30
    assert (audit["estimate"], audit["proposal"], audit["applied"]) == (None, None, None)


def test_the_same_seed_draws_the_same_and_the_same_key_draws_once(api, predicted):
    job = predicted(40)
    url = f"/v1/jobs/{job.job_id}/audits"

    def names(**fields):
        return [item["name"] for item in api.post(url, json={"size": 10, **fields}).json()["items"]]

    assert names(seed=3) == names(seed=3) != names(seed=4)
    key = {"Idempotency-Key": "k"}
    first, again = (api.post(url, json={"size": 5}, headers=key) for _ in range(2))
    assert first.json() == again.json() and first.headers["location"] == first.json()["urls"]["self"]
    listed = api.get(url, params={"limit": 2}).json()
    assert [one["size"] for one in listed["data"]] == [5, 10] and listed["has_more"]
    assert "items" not in listed["data"][0]
    rest = api.get(url, params={"limit": 50, "cursor": listed["next_cursor"]}).json()
    assert len(rest["data"]) == 2 and not rest["has_more"]


def test_an_idempotency_key_keeps_nothing_of_the_items(api, predicted, database, refused):
    job = predicted(8)
    url, key = f"/v1/jobs/{job.job_id}/audits", {"Idempotency-Key": "k"}
    audit = api.post(url, json={"size": 5}, headers=key).json()
    with database.read() as session:
        assert session.scalars(select(IdempotencyKey)).one().body == {"id": audit["id"]}
    again = api.post(url, json={"size": 5}, headers=key)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, audit, "true")
    assert again.headers["location"] == audit["urls"]["self"]
    assert api.delete(f"{url}/{audit['id']}").status_code == 204
    refused(api.post(url, json={"size": 5}, headers=key), 404, "audit_not_found")


def test_answers_measure_accuracy_before_and_after_and_their_difference(api, audited):
    job, audit = audited
    url = url_of(job, audit)
    for item in audit["items"]:  # one by one, as people do; the adapted class is always right
        assert give(api, url, {"item": item["sha256"], "label": item["adapted_label"]}, person="ann").status_code == 200
    found = api.get(url).json()
    estimate = found["estimate"]
    assert (estimate["answers"], found["people"], found["counts"]["answered"]) == (30, 1, 30)
    assert estimate["adapted"]["value"] == 1 and estimate["adapted"]["interval"][0] > 0.85
    changed = sum(row["changed"] for row in api.get(f"/v1/jobs/{job.job_id}/predictions").json()["data"]) / 60
    assert estimate["difference"]["value"] == pytest.approx(changed, abs=1e-6)
    assert {each["label"] for each in estimate["classes"]} <= {"red", "green", "blue"}
    assert found["proposal"]["verdict"] == "improved"
    assert found["proposal"]["served_variant"] == "adapted"


def test_the_answer_of_most_people_counts_and_ties_count_for_nothing(api, audited):
    job, audit = audited
    url = url_of(job, audit)
    first, second, third = (item["sha256"] for item in audit["items"][:3])
    give(api, url, {"item": first, "label": "red"}, {"item": second, "label": "red"}, person="ann")
    give(api, url, {"item": first, "label": "blue"}, {"item": second, "label": "red"}, person="bob")
    give(api, url, {"item": third, "answer": "none_of_these", "person": "eve"}, {"item": second, "answer": "cant_tell"})
    shown = {item["sha256"]: item for item in api.get(url).json()["items"]}
    assert [(shown[one]["status"], shown[one]["answer"]) for one in (first, second, third)] == [
        ("disputed", None),
        ("answered", "red"),
        ("none_of_these", None),
    ]
    assert api.get(url).json()["estimate"]["answers"] == 2
    give(api, url, {"item": first, "answer": "cant_tell"}, person="bob")  # the later answer of one person counts
    found = api.get(url).json()
    assert found["items"][0]["answer"] == "red" and found["people"] == 4
    kept = api.get(f"{url}/answers").json()["data"]
    assert [one["counts"] for one in kept if one["sha256"] == first and one["person"] == "bob"] == [False, True]


def test_the_same_answer_again_is_not_kept_again(api, audited, rows):
    job, audit = audited
    answer = {"item": audit["items"][0]["name"], "label": "red"}
    for _ in range(3):
        assert give(api, url_of(job, audit), answer, answer).status_code == 200
    with rows.database.read() as session:
        assert session.scalars(select(func.count()).select_from(AuditAnswer)).one() == 1


@pytest.mark.parametrize(
    ("answer", "code", "field", "told"),
    [
        ({"item": "elsewhere.png", "label": "red"}, "audit_item_not_drawn", "/answers/1/item", "elsewhere.png"),
        ({"item": None, "label": "mauve"}, "unknown_class", "/answers/1/label", "mauve"),
        ({"item": None}, "invalid_value", "/answers/1", "label"),
        ({"item": None, "label": "red", "answer": "cant_tell"}, "invalid_value", "/answers/1", "answer"),
        ({"item": None, "answer": "perhaps"}, "invalid_value", "/answers/1/answer", "cant_tell"),
    ],
)
def test_answers_that_cannot_be_used_are_refused_with_their_item_and_none_is_kept(
    api, audited, refused, answer, code, field, told
):
    job, audit = audited
    url, name = url_of(job, audit), audit["items"][0]["name"]
    answer = {**answer, "item": answer["item"] or name}
    problem = refused(give(api, url, {"item": name, "label": "red"}, answer), 422, code, field)
    assert told in problem["detail"]
    assert api.get(f"{url}/answers").json()["data"] == []


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"size": 61}, "audit_size", "/size"),
        ({"size": 5, "suspected": 6}, "audit_suspected", "/suspected"),
        ({"size": 0}, "invalid_value", "/size"),
        ({}, "missing_field", "/size"),
        ({"size": 5, "labels": []}, "unknown_field", "/labels"),
    ],
)
def test_audits_that_cannot_be_drawn_are_refused(api, predicted, refused, body, code, pointer):
    job = predicted(60)
    refused(api.post(f"/v1/jobs/{job.job_id}/audits", json=body), 422, code, pointer)


def test_audits_need_a_job_that_ended_with_predictions(api, rows, refused, audited):
    job, audit = audited
    body = {"size": 1}
    refused(api.post("/v1/jobs/job_0/audits", json=body), 404, "job_not_found")
    refused(api.post(f"/v1/jobs/{rows.job('running')}/audits", json=body), 409, "job_not_finished")
    other = rows.job("running", "failed")
    refused(api.post(f"/v1/jobs/{other}/audits", json=body), 404, "predictions_not_found")
    refused(api.get(f"/v1/jobs/{other}/audits/{audit['id']}"), 404, "audit_not_found")
    refused(api.get(f"/v1/jobs/{rows.job(owner='somebody else')}/audits"), 404, "job_not_found")


def test_audits_go_with_their_job_and_their_dataset(api, rows, predicted):
    def left():
        tables = (Audit, AuditItem, AuditAnswer)
        with rows.database.read() as session:
            return [session.scalars(select(func.count()).select_from(table)).one() for table in tables]

    jobs = [predicted(10, seed=seed) for seed in range(3)]
    for job in jobs:
        audit = api.post(f"/v1/jobs/{job.job_id}/audits", json={"size": 4}).json()
        give(api, url_of(job, audit), {"item": audit["items"][0]["sha256"], "label": "red"})
    assert left() == [3, 12, 3]
    assert api.delete(f"/v1/jobs/{jobs[0].job_id}").status_code == 204
    assert api.delete(f"/v1/datasets/{jobs[1].dataset_id}").status_code == 204
    assert left() == [1, 4, 1]
    last = api.get(f"/v1/jobs/{jobs[2].job_id}/audits").json()["data"][0]
    assert api.delete(last["urls"]["self"]).status_code == 204
    assert left() == [0, 0, 0]


def test_answers_change_neither_evaluation_nor_model(api, audited):
    job, audit = audited
    before = api.get(f"/v1/jobs/{job.job_id}").json()
    model = api.get(f"/v1/models/{before['model_id']}").json()
    for item in audit["items"]:
        give(api, url_of(job, audit), {"item": item["sha256"], "label": item["runner_up"]})
    assert api.get(f"/v1/jobs/{job.job_id}").json() == before
    assert api.get(f"/v1/models/{before['model_id']}").json() == model


def answer_all(api, job, audit, field):
    rows = [{"item": item["sha256"], "label": item[field]} for item in audit["items"]]
    return give(api, url_of(job, audit), *rows).json()


def test_a_confirmed_proposal_is_served_and_is_an_event_of_the_job(api, rows, audited, picture):
    job, audit = audited
    proposal = answer_all(api, job, audit, "zero_shot_label")["proposal"]
    assert proposal == {"verdict": "harmful", "served_variant": "zero_shot", "threshold": None, "differs": True}
    model_id = api.get(f"/v1/jobs/{job.job_id}").json()["model_id"]

    def served():
        answer = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture("red"))}).json()
        return answer["served_variant"]

    assert served() == "adapted"
    confirmed = api.post(f"{url_of(job, audit)}/confirm").json()
    assert confirmed["applied"]["served_variant"] == "zero_shot" and not confirmed["proposal"]["differs"]
    assert served() == "zero_shot"
    for url in (f"/v1/jobs/{job.job_id}", f"/v1/models/{model_id}"):
        document = api.get(url).json()
        assert (document["verdict"], document["fallback"]) == ("harmful", "zero_shot")
        assert document["verdict_reasons"][-1]["code"] == "audited"
    api.post(f"{url_of(job, audit)}/confirm")  # again, as a client does that got no answer
    events = api.get(f"/v1/jobs/{job.job_id}/events").json()["data"]
    assert [event["data"].get("audit_id") for event in events if event["type"] == "job.audit_confirmed"] == [
        audit["id"]
    ]
    with rows.database.read() as session:
        assert session.get_one(Job, job.job_id).status == "succeeded"


def test_the_predictions_of_the_job_follow_the_variant_that_was_confirmed(api, audited):
    job, audit = audited
    url = f"/v1/jobs/{job.job_id}/predictions"
    before = api.get(url, params={"limit": 60}).json()["data"]
    assert any(item["changed"] for item in before)
    answer_all(api, job, audit, "zero_shot_label")
    api.post(f"{url_of(job, audit)}/confirm")
    after = api.get(url, params={"limit": 60}).json()["data"]
    assert [item["label"] for item in after] == [item["zero_shot_label"] for item in before]
    assert not any(item["changed"] for item in after)
    assert {item["probability"] > item["runner_up_probability"] for item in after} == {True}
    lines = api.get(url, params={"format": "csv"}).text.splitlines()[1:]
    assert [line.split(",")[2] for line in lines] == [item["label"] for item in after]
    report = api.get(f"/v1/jobs/{job.job_id}/report").text
    assert "None of 60 items" in report
    model_id = api.get(f"/v1/jobs/{job.job_id}").json()["model_id"]
    assert "Items that changed" not in api.get(f"/models/{model_id}").text


def test_a_threshold_is_applied_where_that_is_asked_for(api, audited, picture):
    job, audit = audited
    found = answer_all(api, job, audit, "adapted_label")
    assert found["estimate"]["threshold"] is None and found["estimate"]["more_answers"] > 0
    easier = api.post(f"/v1/jobs/{job.job_id}/audits", json={"size": 60, "wished_accuracy": 0.8}).json()
    proposal = answer_all(api, job, easier, "adapted_label")["proposal"]
    assert 0 <= proposal["threshold"] < 1
    model_id = api.get(f"/v1/jobs/{job.job_id}").json()["model_id"]

    def threshold_of_model():
        answer = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture("red"))}).json()
        assert api.get(f"/v1/models/{model_id}").json()["threshold"] in (None, answer["threshold"])
        return answer["threshold"]

    url = url_of(job, easier)
    assert api.post(f"{url}/confirm", json={}).json()["applied"]["threshold"] is None
    assert threshold_of_model() == 0 and api.get(url).json()["proposal"]["differs"]
    confirmed = api.post(f"{url}/confirm", json={"threshold": True}).json()
    assert confirmed["applied"]["threshold"] == proposal["threshold"] and not confirmed["proposal"]["differs"]
    assert threshold_of_model() == proposal["threshold"]


def test_what_cannot_be_applied_is_refused(api, rows, audited, refused):
    job, audit = audited
    url = f"{url_of(job, audit)}/confirm"
    refused(api.post(url), 409, "nothing_proposed")
    answer_all(api, job, audit, "runner_up")
    refused(api.post(url, json={"threshold": True}), 409, "threshold_not_proposed")
    api.delete(f"/v1/models/{api.get(f'/v1/jobs/{job.job_id}').json()['model_id']}")
    refused(api.post(url), 409, "model_deleted")


def test_a_job_that_fell_back_is_told_that_its_adaptation_was_better(api, rows, predicted):
    job = predicted(60, variant="zero_shot")
    rows.model_of(job.job_id, fallback="zero_shot", verdict="uncertain")
    audit = api.post(f"/v1/jobs/{job.job_id}/audits", json={"size": 50}).json()
    assert {item["label"] == item["zero_shot_label"] for item in audit["items"]} == {True}
    assert answer_all(api, job, audit, "adapted_label")["proposal"]["served_variant"] == "adapted"


def test_answers_that_cannot_tell_do_not_undo_what_was_confirmed_before(api, audited):
    job, audit = audited
    second = api.post(f"/v1/jobs/{job.job_id}/audits", json={"size": 60, "wished_accuracy": 0.01}).json()
    answer_all(api, job, audit, "zero_shot_label")
    api.post(f"{url_of(job, audit)}/confirm")
    rows = [{"item": item["sha256"], "label": item["adapted_label"]} for item in second["items"] if not item["changed"]]
    answered = give(api, url_of(job, second), *rows).json()
    proposal = answered["proposal"]
    assert answered["estimate"]["threshold"] is not None  # of the variant that is not served any more
    assert (proposal["verdict"], proposal["served_variant"], proposal["threshold"]) == ("uncertain", "zero_shot", None)
    api.post(f"{url_of(job, second)}/confirm")
    assert api.get(f"/v1/jobs/{job.job_id}").json()["fallback"] == "zero_shot"
