import pytest

from store.tables import Job
from tests.app.jobs.outbox import tasks
from tests.app.jobs.test_jobs import CLASSES, create

BAD_BODIES = [
    ({"class_names": ["one"]}, "too_few_classes", "/class_names"),
    ({"class_names": []}, "too_few_classes", "/class_names"),
    ({"class_names": ["a", "b", "A"]}, "duplicate_class_name", "/class_names/2"),
    ({"class_names": ["a", " "]}, "empty_class_name", "/class_names/1"),
    ({"class_names": ["a", 5]}, "invalid_class_name", "/class_names/1"),
    ({"class_names": ["a", {"name": "b", "colour": "red"}]}, "invalid_class_name", "/class_names/1"),
    ({"prompt_template": "a photo"}, "template_without_placeholder", "/prompt_template"),
    ({"prompt_template": []}, "no_template", "/prompt_template"),
    ({"prompt_template": [f"{number} {{}}" for number in range(1001)]}, "too_many_templates", "/prompt_template"),
    ({"base_model": "resnet"}, "unknown_base_model", "/base_model"),
    ({"base_model": "open_clip:ViT-B-16/openai"}, "base_model_not_allowed", "/base_model"),
    ({"dataset_id": "ds_unknown"}, "dataset_not_found", "/dataset_id"),
    ({"dataset_id": 5}, "invalid_type", "/dataset_id"),
    ({"method": {"tune": "everything"}}, "invalid_value", "/method/tune"),
    ({"method": {"type": "guessing"}}, "invalid_value", "/method/type"),
    ({"method": {"type": "prior-matching", "class_prior": [1.0]}}, "invalid_class_prior", "/method/class_prior"),
    ({"method": {"learning_rate": -1}}, "invalid_value", "/method/learning_rate"),
    ({"method": {"epochs": 3}}, "unknown_field", "/method/epochs"),
    ({"method": {"class_prior": [0.5, 0.4]}}, "invalid_class_prior", "/method/class_prior"),
    ({"method": {"preset": "paper", "batch_size": 1}}, "batch_too_small", "/method/batch_size"),
    ({"method": {"class_prior": [1.0, 0.0]}}, "invalid_class_prior", "/method/class_prior"),
    ({"method": {"class_prior": "none", "batch_size": 1}}, "batch_too_small", "/method/batch_size"),
    ({"method": {"transport": "emd", "class_prior": "none"}}, "class_prior_needed", "/method/class_prior"),
    ({"method": {"transport": "sinkhorn", "class_prior": "none"}}, "class_prior_needed", "/method/class_prior"),
    ({"method": {"transport": "partial", "class_prior": "none"}}, "class_prior_needed", "/method/class_prior"),
    ({"method": {"transport": "partial", "partial_mass": 1.5}}, "invalid_value", "/method/partial_mass"),
    ({"method": {"transport": "partial", "partial_mass": 0}}, "invalid_value", "/method/partial_mass"),
    ({"method": {"partial_mass": 0.5}}, "unused_parameter", "/method/partial_mass"),
    ({"method": {"type": "zero-shot", "tune": "head"}}, "unused_parameter", "/method/tune"),
    ({"method": {"type": "prior-matching", "max_steps": 3}}, "unused_parameter", "/method/max_steps"),
    ({"method": {"type": "prior-matching", "class_prior": "none"}}, "class_prior_needed", "/method/class_prior"),
    (
        {"method": {"transport": "sinkhorn", "sinkhorn_regularization": 0}},
        "invalid_value",
        "/method/sinkhorn_regularization",
    ),
    (
        {"method": {"transport": "sinkhorn", "unbalanced_marginal_penalty": 1}},
        "unused_parameter",
        "/method/unbalanced_marginal_penalty",
    ),
    ({"method": {"transport": "wasserstein"}}, "invalid_value", "/method/transport"),
    ({"prompt_template": "\x00{}"}, "invalid_value", "/prompt_template"),
    ({"name": "a\x00"}, "invalid_value", "/name"),
    ({"seed": -1}, "invalid_value", "/seed"),
    ({"alias": "no spaces"}, "invalid_value", "/alias"),
    ({"metadata": {str(i): "x" for i in range(17)}}, "invalid_value", "/metadata"),
    ({"colour": "red"}, "unknown_field", "/colour"),
]


@pytest.mark.parametrize(("change", "code", "pointer"), BAD_BODIES)
def test_a_body_that_cannot_be_used_is_refused_and_nothing_is_created(
    api, rows, database, refused, change, code, pointer
):
    refused(create(api, rows.dataset(), **change), 422, code, pointer)
    with database.read() as session:
        assert session.query(Job).count() == 0
    assert tasks(database) == []


@pytest.mark.parametrize(
    ("method", "allowed"),
    [
        ({"transport": "partial", "partial_mass": 1.5}, "less than or equal to 1"),
        ({"transport": "emd", "class_prior": "none"}, "`auto`, `uniform` or one number above 0 for each class"),
        ({"partial_mass": 0.5}, "set transport to `partial`"),
        ({"transport": "wasserstein"}, "'conditional', 'sinkhorn', 'emd', 'unbalanced' or 'partial'"),
        ({"class_prior": [0.5, 0.4]}, "sum to 1"),
        ({"preset": "paper", "batch_size": 1}, "at least 2"),
    ],
)
def test_the_refusal_of_a_method_says_what_is_allowed(api, rows, method, allowed):
    assert allowed in create(api, rows.dataset(), method=method).json()["errors"][0]["message"]


def test_every_error_is_told_at_once(api, refused):
    response = create(api, "ds_unknown", class_names=["a"], prompt_template="x", base_model="open_clip:a/b")
    problem = refused(response, 422, "invalid_request")
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/class_names", "too_few_classes"),
        ("/prompt_template", "template_without_placeholder"),
        ("/base_model", "base_model_not_allowed"),
        ("/dataset_id", "dataset_not_found"),
    }


MISTAKES_TOGETHER = [
    ({"colour": "red", "class_names": ["a"]}, {("/colour", "unknown_field"), ("/class_names", "too_few_classes")}),
    (
        {"method": {"epochs": 3, "class_prior": [0.5, 0.4]}, "seed": -1, "prompt_template": "x"},
        {
            ("/method/epochs", "unknown_field"),
            ("/method/class_prior", "invalid_class_prior"),
            ("/seed", "invalid_value"),
            ("/prompt_template", "template_without_placeholder"),
        },
    ),
    (
        {"class_names": None, "prompt_template": "x"},
        {("/class_names", "invalid_type"), ("/prompt_template", "template_without_placeholder")},
    ),
    (
        {"method": {"transport": "wasserstein", "partial_mass": 0.5}, "class_names": ["a", "a"]},
        {("/method/transport", "invalid_value"), ("/class_names/1", "duplicate_class_name")},
    ),
    (
        {"base_model": 5, "dataset_id": "ds_unknown", "label_words": {"cat": "cat"}, "class_names": ["a"]},
        {("/base_model", "invalid_type"), ("/dataset_id", "dataset_not_found"), ("/class_names", "too_few_classes")},
    ),
]


def test_mistakes_of_form_and_of_sense_are_told_together(api, rows):
    dataset = rows.dataset()
    for change, told in MISTAKES_TOGETHER:
        problem = create(api, dataset, **change).json()
        assert {(error["pointer"], error["code"]) for error in problem["errors"]} == told


def test_a_refused_body_is_no_repetition_of_the_one_that_was_meant(api, rows, refused):
    body = {"dataset_id": rows.dataset(), "class_names": CLASSES}
    key = {"idempotency-key": "one"}
    assert api.post("/v1/jobs", json=body, headers=key).status_code == 202
    refused(api.post("/v1/jobs", json=body | {"colour": "red"}, headers=key), 422, "unknown_field", "/colour")


def test_a_message_holds_no_description_of_the_field(api, rows):
    problem = create(api, rows.dataset(), method={"type": "guessing"}).json()
    assert problem["errors"][0]["message"] == "Input should be 'pouf', 'prior-matching' or 'zero-shot'"


@pytest.mark.parametrize("content", [b"{", b"[1, 2", b"\xff", b"[" * 50_000, b'{"seed": 1' + b"0" * 5000 + b"}"])
def test_malformed_json_is_refused(api, refused, content):
    response = api.post("/v1/jobs", content=content, headers={"content-type": "application/json"})
    refused(response, 400, "malformed_json")


@pytest.mark.parametrize(
    "content", [b'{"seed": 1, "seed": 2}', b'{"method": {"type": "pouf", "tune": "prompt", "type": "zero-shot"}}']
)
def test_a_field_that_is_given_twice_is_refused(api, refused, content):
    response = api.post("/v1/jobs", content=content, headers={"content-type": "application/json"})
    refused(response, 422, "duplicate_field", "")


def test_no_body_is_refused(api, refused):
    refused(api.post("/v1/jobs"), 422, "missing_field")


@pytest.mark.parametrize("text", ['"\\ud800 {}"', '["{} \\udfff"]', '["{} \\ud83d", "\\ude00 {}"]'])
def test_text_that_is_no_unicode_is_refused(api, rows, refused, text):
    content = f'{{"dataset_id": "{rows.dataset()}", "class_names": ["a", "b"], "prompt_template": {text}}}'
    response = api.post("/v1/jobs", content=content, headers={"content-type": "application/json"})
    refused(response, 422, "invalid_value", "/prompt_template")


def test_a_body_that_is_no_object_is_refused(api, refused):
    refused(api.post("/v1/jobs", json=[1, 2]), 422, "invalid_type")


def test_an_enormous_body_is_refused(api, refused):
    json = {"content-type": "application/json"}
    for content in (b" " * 9_000_000, iter([b" " * 5_000_000] * 2)):
        refused(api.post("/v1/jobs", content=content, headers=json), 413, "body_too_large")
