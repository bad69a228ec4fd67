"""Bodies made to keep the service busy: refused quickly, answered briefly, and the event loop goes on meanwhile."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.http.errors import ApiError, FieldError, several
from app.http.json_parsing import MAX_VALUES, MAX_VALUES_OF_INPUTS, parse_json, parsed_size
from tests.waiting import WAIT_SECONDS

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
MANY = 90_000


def test_a_form_of_a_million_fields_is_refused_unread(api, refused):
    content = "&".join(f"a{number}=b" for number in range(1_000_000)).encode()
    answer = api.post("/v1/datasets", content=content, headers=FORM)
    refused(answer, 413, "body_too_large")
    assert len(answer.content) < 10_000


def test_a_form_of_many_fields_is_refused(api, refused):
    content = "&".join(f"a{number}=b" for number in range(51)).encode()
    refused(api.post("/v1/datasets", content=content, headers=FORM), 413, "too_many_fields")


@pytest.mark.parametrize(
    "body",
    [
        {f"a{number}": 1 for number in range(MANY)},
        {"class_names": ["a", "b"], "prompt_template": [1] * MANY},
        {"class_names": [1] * MANY},
        *({name: {f"a{number}": 1 for number in range(MANY)}} for name in ("label_words", "method", "metadata")),
    ],
    ids=["unknown fields", "templates", "classes", "label words", "method", "metadata"],
)
def test_however_much_is_wrong_the_answer_is_short(api, body):
    answer = api.post("/v1/jobs", json=body)
    assert answer.status_code == 422
    assert len(answer.content) < 100_000
    assert 0 < len(answer.json()["errors"]) <= 100


def test_more_values_than_any_job_needs_are_refused(api, refused):
    refused(api.post("/v1/jobs", json={"class_names": [[1] * MAX_VALUES]}), 413, "too_many_values")


@pytest.mark.parametrize(
    "content",
    [
        b'{"inputs": [' + b"[]," * MAX_VALUES + b"[]]}",
        b'{"inputs": [{"embedding": [' + b"1," * MAX_VALUES_OF_INPUTS + b"1]}]}",
        b'{"text": "\\\\", "inputs": [' + b"{}," * MAX_VALUES + b"{}]}",
    ],
    ids=["lists", "numbers", "objects"],
)
def test_more_values_than_inputs_need_are_refused_unparsed(api, rows, refused, content, monkeypatch):
    monkeypatch.setattr("app.http.json_parsing.json", None)
    answer = api.post(f"/v1/models/{rows.model()}/predict", content=content, headers=JSON)
    refused(answer, 413, "too_many_values")


@pytest.mark.parametrize("text", [",[{" * MAX_VALUES, '\\"' + ',"' * MAX_VALUES, "," + '\\"[' * 2**19])
def test_what_strings_hold_counts_for_no_value(text):
    content = json.dumps([text, "end"]).encode()
    assert parse_json(content) == [text, "end"]


@pytest.mark.parametrize("end", [b"", b'"', b"\\", b'\\"'])
def test_a_string_that_never_ends_is_no_json(end):
    with pytest.raises(ApiError, match="not valid JSON"):
        parse_json(b'["' + b"," * MAX_VALUES + b"\\" * 2**20 + b"," + end)


def test_small_routes_take_small_bodies(api, refused):
    refused(api.put("/v1/aliases/a", json={"model_id": "x" * 100_000}), 413, "body_too_large")


@pytest.mark.parametrize("metadata", ["[" * 100_000, '{"a":' * 50_000, "[" * 100_000 + "]" * 100_000, "nonsense"])
def test_metadata_that_cannot_be_parsed_is_refused(api, refused, metadata, picture):
    files = {"files": ("a.png", picture())}
    refused(api.post("/v1/datasets", data={"metadata": metadata}, files=files), 422, "invalid_value", "/metadata")


@pytest.mark.parametrize("depth", [100, 300, 600, 900, 950, 975])
def test_deeply_nested_values_are_refused(api, depth):
    content = b'{"class_names": %s1%s}' % (b"[" * depth, b"]" * depth)
    assert api.post("/v1/jobs", content=content, headers=JSON).status_code in (400, 422)
    content = b'{"inputs": [{"image": %s1%s}]}' % (b"[" * depth, b"]" * depth)
    assert api.post("/v1/models/x/predict", content=content, headers=JSON).status_code in (400, 422)


def test_inputs_that_are_all_wrong_are_answered_briefly(api, rows):
    path = f"/v1/models/{rows.model()}/predict"
    answer = api.post(path, json={"inputs": [{"embedding": ["x"] * 500_000}]})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/inputs/0/embedding/0"]
    answer = api.post(path, json={"inputs": [1] * 500_000})
    assert answer.json()["code"] == "too_many_inputs"


def test_the_event_loop_answers_while_a_body_is_checked(server, rows, monkeypatch):
    path = f"/v1/models/{rows.model()}/predict"
    begun, may_end = threading.Event(), threading.Event()

    def check_slowly(content):
        begun.set()
        assert may_end.wait(WAIT_SECONDS)
        return parsed_size(content)

    monkeypatch.setattr("app.http.json_bodies.parsed_size", check_slowly)
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(server.post, path, content=b'{"inputs": [{"image": "AAAA"}]}', headers=JSON)
        assert begun.wait(WAIT_SECONDS)
        assert server.get("/health/live").status_code == 200
        may_end.set()
        assert answer.result().json()["code"] == "undecodable_image"


def test_an_answer_lists_a_hundred_errors_at_most():
    error = several(FieldError(f"/{number}", "unknown_field", "?") for number in range(1000))
    assert len(error.errors) == 100


@pytest.mark.parametrize(
    "content", [b'["a", "b"]', b"[" * 50 + b"]" * 50, b"[1.5, 2.5]", '["\U0001f600 text"]'.encode(), b'{"a": {}}']
)
def test_the_size_of_what_is_parsed_is_not_underestimated(content):
    import sys

    def size(value):
        members = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        below = sum(map(size, members)) if isinstance(value, dict | list) else 0
        return sys.getsizeof(value) + below

    large = b"[" + b",".join([content] * 1000) + b"]"
    text = large.decode()
    assert parsed_size(large) >= 0.9 * (sys.getsizeof(text) + size(json.loads(large)))
