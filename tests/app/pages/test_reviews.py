"""A person looks at some of a job's items by the page, one after the other."""

import re

import pytest

from tests.app.predicted.conftest import CLASSES, predicted

__all__ = ["predicted"]  # a fixture

SCRIPTED = {"HX-Request": "true"}


@pytest.fixture
def begun(api, rows, predicted):
    """The place of a review of eight items of a job whose model is served."""
    job = predicted(40)
    rows.model_of(job.job_id)
    answer = api.post(f"/jobs/{job.job_id}/reviews", data={"size": 8, "person": "Ann & Bob"}, headers=SCRIPTED)
    return answer.headers["hx-redirect"]


def item_in(page: str) -> str:
    return re.search(r'name="item" value="([0-9a-f]{64})"', page)[1]


def say(api, place: str, page: str, **answer: str) -> str:
    fields = {"item": item_in(page), "person": "Ann & Bob", **answer}
    return api.post(f"{place.partition('?')[0]}/answers", data=fields, headers=SCRIPTED).text


def test_each_answer_leads_to_the_next_item_until_all_are_looked_at(api, begun):
    page, seen = api.get(begun).text, []
    for number in range(8):
        assert f"{number} of 8 items looked at" in page
        seen.append(item_in(page))
        page = say(api, begun, page, label=CLASSES[number % 3])
    assert len(set(seen)) == 8
    assert "everything has been looked at" in page
    assert "Right after adaptation" in page
    assert re.search(r"more answers would allow a threshold|no threshold would keep|At a threshold of", page)


def test_every_answer_has_a_key_and_what_is_predicted_is_not_given_away(api, begun):
    page = api.get(begun).text
    keys = re.findall(r'value="([^"]+)" data-key="(.)"', page)
    assert keys == [(CLASSES[0], "1"), (CLASSES[1], "2"), (CLASSES[2], "3"), ("none_of_these", "n"), ("cant_tell", "?")]
    assert "probability" not in page.lower()


def test_of_more_classes_than_there_are_keys_one_is_found_by_typing(api, predicted):
    classes = [f"class {number}" for number in range(100)]
    answer = api.post(f"/jobs/{predicted(4, class_names=classes).job_id}/reviews", data={"size": 2}, headers=SCRIPTED)
    place = answer.headers["hx-redirect"]
    page = api.get(place).text
    assert re.findall(r'<option value="([^"]+)"', page) == classes
    assert re.findall(r'<button name="([^"]+)" value="([^"]+)" formnovalidate', page) == [
        ("answer", "none_of_these"),
        ("answer", "cant_tell"),
    ]
    assert "data-key" not in page  # keys write into the field
    for typed in ("class 7", "CLASS 7", "class 100", ""):
        told = say(api, place, page, label=typed, person="anonymous")
        assert ("There is no class" in told) == (typed in ("class 100", "")), typed
    assert "choose one from the list" in say(api, place, page, label="class", person="anonymous")
    assert "/label" not in told
    page = api.get(place).text
    assert "1 of 2 items looked at" in page
    assert "everything has been looked at" in say(api, place, page, label="", answer="cant_tell", person="anonymous")


def test_an_answer_can_be_taken_back(api, begun):
    first = api.get(begun).text
    second = say(api, begun, first, answer="none_of_these")
    back = re.search(r'href="([^"]+)" data-key="z"', second)[1].replace("&amp;", "&")
    again = api.get(back).text
    assert item_in(again) == item_in(first)
    assert "1 of 8 items looked at" in say(api, begun, again, label=CLASSES[0])
    audit = api.get(f"/v1{begun.partition('?')[0].replace('reviews', 'audits')}").json()
    said = next(item for item in audit["items"] if item["sha256"] == item_in(first))
    assert (said["answer"], audit["people"]) == (CLASSES[0], 1)


def test_people_who_share_a_review_each_see_what_they_have_not_looked_at(api, begun):
    say(api, begun, api.get(begun).text, label=CLASSES[0])
    assert "0 of 8 items looked at" in api.get(f"{begun.partition('?')[0]}?person=Carla").text


def test_a_review_is_gone_on_with_under_the_name_that_it_was_begun_with(api, begun):
    say(api, begun, api.get(begun).text, answer="cant_tell")
    without_name = begun.partition("?")[0]
    page = api.get(without_name).text
    assert "1 of 8 items looked at" in page
    assert 'value="Ann &amp; Bob"' in page
    api.cookies.clear()
    assert "0 of 8 items looked at" in api.get(without_name).text


def test_progress_is_a_persons_own_however_many_answers_others_gave(api, begun):
    job_id = begun.split("/")[2]
    audit = api.post(f"/v1/jobs/{job_id}/audits", json={"size": 40}).json()
    place = f"/jobs/{job_id}/reviews/{audit['id']}?person=Ann%20%26%20Bob"
    many = [
        {"item": item["sha256"], "label": CLASSES[0], "person": f"p{number}"}
        for number in range(26)
        for item in audit["items"]
    ]
    assert api.put(audit["urls"]["answers"], json={"answers": many}).status_code == 200
    assert "1 of 40 items looked at" in say(api, place, api.get(place).text, label=CLASSES[1])
    assert api.get(f"{place}%00").status_code == 422


def test_an_answer_that_is_none_is_refused_in_words(api, begun):
    page = api.get(begun).text
    for answer in ({}, {"label": "no such class"}, {"answer": "maybe"}):
        fields = {"item": item_in(page), **answer}
        assert api.post(f"{begun.partition('?')[0]}/answers", data=fields, headers=SCRIPTED).status_code == 422


@pytest.mark.parametrize("form", [{"size": "many"}, {"person": "x" * 201}])
def test_a_form_that_cannot_be_used_is_refused_in_the_page_and_not_told_to_be_json(api, predicted, form):
    answer = api.post(f"/jobs/{predicted(5).job_id}/reviews", data=form)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "Content-Type" not in answer.text and f">{next(iter(form))}: " in answer.text


def test_what_the_answers_say_is_applied_on_request(api, begun, predicted):
    page = api.get(begun).text
    place = begun.partition("?")[0]
    for _ in range(8):
        page = say(api, begun, page, label=CLASSES[0])
    job_id = place.split("/")[2]
    assert api.post(f"{place}/confirm", headers=SCRIPTED).headers["hx-redirect"] == f"/jobs/{job_id}"
    said = "answers to a review of this job say so"
    for shown in (f"/jobs/{job_id}", f"/v1/jobs/{job_id}/report"):
        assert said in api.get(shown).text
        assert "without labels does not tell" not in api.get(shown).text
    assert ", applied" in api.get(f"/jobs/{job_id}").text
    assert "Applied on" in api.get(begun).text


def test_the_threshold_that_the_answers_allow_is_applied_where_that_is_asked_for(api, rows, predicted):
    job_id = predicted(300, accepted_from=0.0).job_id
    model_id = rows.model_of(job_id)
    audit = api.post(f"/v1/jobs/{job_id}/audits", json={"size": 150, "wished_accuracy": 0.9}).json()
    agreed = [{"item": item["sha256"], "label": item["adapted_label"]} for item in audit["items"]]
    proposed = api.put(audit["urls"]["answers"], json={"answers": agreed}).json()["proposal"]["threshold"]
    place = f"/jobs/{job_id}/reviews/{audit['id']}"
    page = api.get(place).text
    assert "Apply that<" in page and "Apply that and the threshold" in page
    assert api.post(f"{place}/confirm", headers=SCRIPTED).status_code == 200
    page = api.get(place).text
    assert "Apply that" not in page and "Apply the threshold" in page
    assert api.post(f"{place}/confirm", data={"threshold": "true"}, headers=SCRIPTED).status_code == 200
    assert api.get(f"/v1/models/{model_id}").json()["threshold"] == proposed
    assert "it gives no class" in api.get(place).text and "Apply the threshold" not in api.get(place).text
