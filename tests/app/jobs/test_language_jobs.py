"""Jobs over prompted language models: what is accepted, and at which field the rest is refused."""

import pytest
from fastapi.testclient import TestClient

from app.base_models.schemas import BaseModelDocument
from app.http.schemas import ListDocument
from app.main import create_app
from store.tables import Job
from tests.app.colour_engine import ColourEngine
from tests.pouf_core.families.language.tiny_models import save_masked

WORDS = {"negative": ["terrible", "bad"], "positive": "great"}
BODY = {"base_model": "hf-mlm:/models/roberta", "class_names": ["negative", "positive"], "label_words": WORDS}
PAIR_TEMPLATE = "{text_a}? {mask}, {text_b}"


@pytest.fixture
def create(settings, rows, tmp_path):
    names = ["pouf-lite", "minilm", "hf-mlm:/models/*", f"hf-mlm:{tmp_path}/models/*", "hf-causal:*"]
    allowed = settings.model_copy(update={"base_models": names})
    with TestClient(create_app(allowed, ColourEngine)) as api:

        def post(text_pairs=False, status="ready", **changes):
            dataset_id = rows.dataset(status, modality="text", text_pairs=text_pairs)
            return api.post("/v1/jobs", json={"dataset_id": dataset_id, **BODY, **changes})

        yield post


def test_a_job_keeps_the_words_of_every_class_and_the_default_template(create, database):
    job = create().json()
    assert job["label_words"] == {"negative": ["terrible", "bad"], "positive": ["great"]}
    assert job["prompt_template"] == ["{text} This is {mask}."]
    with database.read() as session:
        assert session.get_one(Job, job["id"]).request.label_words == job["label_words"]
    assert create(label_words=None).json()["label_words"] == {"negative": ["negative"], "positive": ["positive"]}
    assert create(base_model="minilm", label_words=None).json()["label_words"] is None


REFUSED = [
    ({"label_words": {"neutral": "okay"}}, "unknown_class", "/label_words/neutral"),
    ({"label_words": {"negative": []}}, "no_label_word", "/label_words/negative"),
    ({"label_words": {"negative": "bad", "positive": "bad"}}, "duplicate_label_word", "/label_words/positive/0"),
    ({"base_model": "minilm"}, "label_words_not_used", "/label_words"),
    ({"base_model": "minilm", "label_words": None, "text_limits": {"text": 9}}, "text_limits_not_used", "/text_limits"),
    ({"text_limits": {"text_a": 9}}, "invalid_text_limit", "/text_limits/text_a"),
    ({"text_limits": {"text": 0}}, "invalid_text_limit", "/text_limits/text"),
    ({"text_limits": {"text": "long"}}, "invalid_type", "/text_limits/text"),
    ({"prompt_template": "a photo of a {}."}, "unknown_placeholder", "/prompt_template"),
    ({"prompt_template": "{text} It was."}, "template_without_mask", "/prompt_template"),
    ({"prompt_template": "{text} {mask} {mask}."}, "template_with_many_masks", "/prompt_template"),
    ({"prompt_template": ["{text} {mask}", "{mask} {text}"]}, "one_template_needed", "/prompt_template"),
    ({"prompt_template": PAIR_TEMPLATE}, "text_pair_missing", "/prompt_template"),
    ({"text_pairs": True}, "text_pair_not_used", "/prompt_template"),
    ({"text_pairs": True, "base_model": "minilm", "label_words": None}, "text_pair_not_supported", "/base_model"),
    ({"base_model": "hf-causal:gpt2", "prompt_template": "{mask}: {text}"}, "text_after_mask", "/prompt_template"),
    ({"base_model": "hf-mlm:roberta-base"}, "base_model_not_allowed", "/base_model"),
    ({"base_model": "hf-mlm:/models/../secret"}, "base_model_not_allowed", "/base_model"),
    ({"base_model": "hf-mlm:"}, "unknown_base_model", "/base_model"),
    ({"method": {"tune": "head"}}, "unsupported_tune", "/method/tune"),
    ({"method": {"context_init": "random"}}, "unused_parameter", "/method/context_init"),
    (
        {"base_model": "minilm", "label_words": None, "method": {"label_word_bias": "none"}},
        "unused_parameter",
        "/method/label_word_bias",
    ),
]


@pytest.mark.parametrize(("changes", "code", "pointer"), REFUSED)
def test_what_cannot_be_used_is_refused_at_its_field(create, refused, changes, code, pointer):
    response = create(**changes)
    problem = response.json()
    assert response.status_code == 422, problem
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in problem["errors"]], problem


def test_a_word_that_the_vocabulary_lacks_is_told_at_once_where_the_tokenizer_can_be_read(create, tmp_path):
    base_model = f"hf-mlm:{save_masked('bert', tmp_path / 'models' / 'bert')}"
    words = {"negative": ["bad", "terrible"], "positive": ["great", "goodness"]}
    response = create(base_model=base_model, label_words=words)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (422, "label_word_not_in_vocabulary")
    assert error["pointer"] == "/label_words/positive/1"
    assert "it splits into 'good', '##n', '##e', '##s', '##s'" in error["message"]
    assert create(base_model=base_model, label_words=words | {"positive": "great"}).status_code == 202


def test_limits_of_texts_are_kept(create):
    limits = {"text_a": 40, "text_b": 20}
    job = create(text_pairs=True, prompt_template=PAIR_TEMPLATE, text_limits=limits).json()
    assert job["text_limits"] == limits


def test_everything_wrong_is_told_at_once(create):
    errors = create(label_words={"neutral": "okay"}, prompt_template="{text}", method={"tune": "head"}).json()["errors"]
    assert [error["code"] for error in errors] == ["template_without_mask", "unsupported_tune", "unknown_class"]


def test_a_dataset_that_is_still_ingested_is_judged_when_it_is_ready(create):
    assert create(status="ingesting", prompt_template=PAIR_TEMPLATE).status_code == 202


def test_known_tasks_are_listed_as_a_job_takes_them(api, create):
    listed = {template["name"]: template for template in api.get("/v1/templates").json()["data"]}
    assert listed["sst-2"]["prompt_template"] == "{text} It was {mask}."
    assert listed["sst-2"]["label_words"] == {"negative": "terrible", "positive": "great"}
    assert (listed["sst-2"]["text_pairs"], listed["mnli"]["text_pairs"]) == (False, True)
    for template in listed.values():
        names = ("prompt_template", "label_words", "class_names", "text_limits", "text_pairs")
        created = create(**{name: template[name] for name in names})
        assert created.status_code == 202
        assert created.json()["text_limits"] == template["text_limits"]
    assert (listed["sst-5"]["text_limits"], listed["sst-2"]["text_limits"]) == ({"text": 110}, None)


def test_a_base_model_says_whether_it_takes_label_words(settings):
    listed = ["minilm", "hf-mlm:/models/roberta"]
    with TestClient(create_app(settings.model_copy(update={"base_models": listed}), ColourEngine)) as api:
        answer = api.get("/v1/base-models").json()
    ListDocument[BaseModelDocument].model_validate(answer)  # refuses fields that it does not describe
    minilm, roberta = answer["data"]
    assert (minilm["takes_label_words"], roberta["takes_label_words"]) == (False, True)
    assert (roberta["family"], roberta["modality"], roberta["tune_modes"]) == (
        "hf-mlm",
        "text",
        ["auto", "calibrate", "prompt", "norm", "model"],
    )
