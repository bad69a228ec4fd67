"""Answers in files: tables, and what Label Studio exports."""

import csv
import io
import json

import pytest

from app.audits.schemas import MOST_ANSWERS
from tests.app.audits.conftest import url_of


@pytest.fixture
def send(api, audited):
    """Sends a file of answers, and returns the answer."""

    def send(content, media_type="text/csv"):
        return api.put(f"{url_of(*audited)}/answers", content=content, headers={"Content-Type": media_type})

    return send


def given(api, audited):
    data = api.get(f"{url_of(*audited)}/answers").json()["data"]
    return [(one["name"], one["label"] or one["answer"], one["person"]) for one in data]


def test_a_table_names_items_by_name_or_by_content(api, audited, send):
    first, second, third = audited[1]["items"][:3]
    lines = [f"{first['name']},red,ann", f"{second['sha256']},none_of_these,", f"{third['name']},cant_tell,bob", "x,,"]
    assert send("\ufeffitem,label,person\r\n" + "\r\n".join(lines)).status_code == 200
    assert given(api, audited) == [
        (first["name"], "red", "ann"),
        (second["name"], "none_of_these", "anonymous"),
        (third["name"], "cant_tell", "bob"),
    ]


@pytest.mark.parametrize(
    ("content", "code", "pointer"),
    [
        (b"name,class\na,b\n", "csv_columns", None),
        (b"", "csv_columns", None),
        (b"item,label\n\xff\xfe,red\n", "csv_encoding", None),
        (b'item,label\n"a,red\n', "csv_malformed", None),
        (b"item,label\nelsewhere.png,red\n", "audit_item_not_drawn", "/answers/0/item"),
        (b"item,label\nelsewhere.png,\n", "invalid_value", "/answers"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(send, refused, content, code, pointer):
    refused(send(content), 422, code, pointer)


def test_a_table_of_too_many_answers_is_not_read_to_its_end(send, refused):
    content = b"item,label\n" + (MOST_ANSWERS + 1) * b"a,red\n" + b'"never closed'
    refused(send(content), 422, "invalid_value", "/answers")


def test_exported_answers_come_back_as_they_were(api, audited, send, predicted):
    url = url_of(*audited)
    items = audited[1]["items"]
    said = [
        {"item": items[0]["name"], "label": "red", "person": "=ann"},
        {"item": items[1]["name"], "answer": "cant_tell", "person": "bob"},
        {"item": items[0]["name"], "label": "blue", "person": "=ann"},
    ]
    assert api.put(f"{url}/answers", json={"answers": said}).status_code == 200
    before = given(api, audited)
    answer = api.get(f"{url}/answers", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["counts"] for row in rows] == ["false", "true", "true"]
    assert rows[0]["person"] == "'=ann"
    again = api.post(f"/v1/jobs/{audited[0].job_id}/audits", json={"size": 30, "seed": 1}).json()
    sent = api.put(f"{again['urls']['self']}/answers", content=answer.text, headers={"Content-Type": "text/csv"})
    assert sent.status_code == 200
    assert given(api, (audited[0], again)) == before
    assert sent.json()["estimate"] == api.get(url).json()["estimate"]


def label_studio(api, job, annotate):
    """Our predictions as Label Studio exports them once people have annotated."""
    tasks = json.loads(api.get(f"/v1/jobs/{job.job_id}/predictions", params={"format": "label_studio"}).text)
    for number, task in enumerate(tasks):
        task |= {"id": number, "annotations": annotate(task["data"])}
    return tasks


def choice(label, person=1, **fields):
    result = [{"from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": [label]}}]
    return {"completed_by": person, "result": result, "was_cancelled": False, **fields}


def test_our_export_comes_back_from_label_studio_as_answers(api, audited, send):
    job, audit = audited
    drawn = {item["sha256"]: item for item in audit["items"]}

    def annotate(data):
        if data["sha256"] not in drawn:
            return []
        ann = {"id": 7, "email": "ann@example.com"}
        return [choice(data["predicted_label"], ann), choice("red", 8, was_cancelled=True)]

    answer = send(json.dumps(label_studio(api, job, annotate)), "application/json")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["counts"]["answered"], found["people"]) == (30, 2)
    assert all(item["answer"] == item["label"] for item in found["items"])
    assert {person for _, _, person in given(api, audited)} == {"ann@example.com", "8"}


def test_the_short_form_of_label_studio_is_read_too(api, audited, send):
    """Whoever annotated nothing leaves our prediction, as `label`, in the file that the converter 2.1 of it writes."""
    items = audited[1]["items"]
    annotated = {"annotator": "ann@example.com", "annotation_id": 5, "lead_time": 1.2}
    not_annotated = dict.fromkeys(annotated)
    tasks = [
        {"id": 1, "sha256": items[0]["sha256"], "label": "green", **annotated},
        {"id": 2, "sha256": items[1]["sha256"], "label": "red", **not_annotated},
        {"id": 3, "sha256": 64 * "0", "label": "red", **not_annotated},
        {"id": 4, "name": items[2]["name"]},
    ]
    assert send(json.dumps(tasks), "application/json").status_code == 200
    assert given(api, audited) == [(items[0]["name"], "green", "ann@example.com")]


def test_a_table_of_label_studio_is_read_with_its_annotators(api, audited, send):
    first, second = audited[1]["items"][:2]
    heading = '"_data_label","annotation_id","annotator","label","name","sha256"\n'
    annotated = [f'"red",{number},{who},"green","x","{first["sha256"]}"\n' for number, who in enumerate(("ann", "bob"))]
    not_annotated = f'"red","","","","x","{second["sha256"]}"\n'
    assert send(heading + "".join(annotated) + not_annotated).status_code == 200
    assert given(api, audited) == [(first["name"], "green", "ann"), (first["name"], "green", "bob")]


@pytest.mark.parametrize(
    ("tasks", "code", "pointer"),
    [
        ([], "no_answers", "/answers"),
        ([{"data": {"image": "a"}, "annotations": [choice("red")]}], "audit_item_missing", "/0/data"),
        (["a"], "invalid_type", "/0"),
        ([{"data": {"name": "a"}, "annotations": 3}], "invalid_type", "/0/annotations"),
        ([{"data": {"name": "elsewhere"}, "annotations": [choice("red")]}], "audit_item_not_drawn", "/answers/0/item"),
        ([{"data": {"name": "a"}, "annotations": [choice(3)]}], "invalid_type", "/answers/0/label"),
    ],
)
def test_exports_that_cannot_be_used_are_refused(send, refused, tasks, code, pointer):
    refused(send(json.dumps(tasks), "application/json"), 422, code, pointer)


def test_other_kinds_of_files_are_refused(send, refused):
    refused(send(b"PK", "application/zip"), 415, "unsupported_media_type")
    refused(send(b"{", "application/json"), 400, "malformed_json")
