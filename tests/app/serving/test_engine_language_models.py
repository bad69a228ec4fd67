"""Serving really adapted language models through the real engine."""

import pytest
import torch
from fastapi.testclient import TestClient

import pouf_core
from app.main import create_app
from pouf_core.data.texts import TextItem
from tests.pouf_core.families.language.tiny_models import save_causal, save_masked

WORDS = ["great", "good", "okay", "terrible", "bad"]
TEXTS = [" ".join(["the movie was"] + [a] * (1 + index % 3) + [b]) for index, a in enumerate(WORDS) for b in WORDS]
PAIRS = [TextItem(f"the movie was {a}", f"it is {b}") for a in WORDS for b in WORDS]
LABEL_WORDS = {"negative": ["terrible", "bad"], "positive": "great"}
KINDS = {
    "masked, prompt": ("hf-mlm", "roberta", "prompt", TEXTS, None),
    "causal, norm": ("hf-causal", "gpt2", "norm", TEXTS, None),
    "masked, pairs": ("hf-mlm", "bert", "model", PAIRS, "{text_a}? {mask}, {text_b}"),
}


@pytest.fixture(scope="module", params=KINDS)
def adapted(request, tmp_path_factory):
    """The artifact of a small model, and what it was adapted to."""
    torch.set_num_threads(1)
    family, name, tune, items, template = KINDS[request.param]
    folder = tmp_path_factory.mktemp("language")
    save = save_causal if family == "hf-causal" else save_masked
    result = pouf_core.adapt(
        items,
        list(LABEL_WORDS),
        base_model=f"{family}:{save(name, folder / 'base')}",
        prompt_template=template,
        label_words=LABEL_WORDS,
        method={"tune": tune, "max_steps": 2, "batch_size": 8, "selection": "last", "learning_rate": 0.05},
        out=folder / "model",
        device="cpu",
        threads=1,
    )
    return result.path, items


@pytest.fixture
def ask(settings, rows, storage, adapted):
    model_id = rows.model()
    storage.put_directory(f"models/{model_id}", adapted[0])
    with TestClient(create_app(settings)) as api:
        yield lambda inputs, **options: api.post(f"/v1/models/{model_id}/predict", json={"inputs": inputs, **options})


def as_input(item):
    return {"text": item} if isinstance(item, str) else {"text": item.text, "text_pair": item.text_pair}


@pytest.mark.parametrize("variant", ["adapted", "zero_shot"])
def test_http_answers_equal_those_of_the_library_in_input_order(ask, adapted, variant):
    path, items = adapted
    answer = ask([as_input(item) for item in items], top_k=2, variant=variant).json()
    expected = pouf_core.load(path, device="cpu").predict(items, 2, variant)
    assert [shown["label"] for shown in answer["predictions"]] == [prediction.label for prediction in expected]
    scores = [shown["score"] for shown in answer["predictions"]]
    assert scores == pytest.approx([prediction.score for prediction in expected], abs=1e-5)
    assert [shown["index"] for shown in answer["predictions"]] == list(range(len(items)))


def test_a_text_too_many_or_too_few_fails_alone(ask, adapted, refused):
    _, items = adapted
    takes_pairs = isinstance(items[0], TextItem)
    bad = {"text": "a"} if takes_pairs else {"text": "a", "text_pair": "b"}
    code = "text_pair_missing" if takes_pairs else "text_pair_not_used"
    failed, good = ask([bad, as_input(items[0])]).json()["predictions"]
    assert failed["error"]["code"] == code
    assert good["label"] in LABEL_WORDS
    refused(ask([bad]), 422, code, "/inputs/0")
