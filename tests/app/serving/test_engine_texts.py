"""Serving a really adapted sentence encoder through the real engine."""

import json

import pytest
import torch
from fastapi.testclient import TestClient

import pouf_core
from app.main import create_app
from tests.pouf_core.sentence_encoders import save_sentence_encoder

WORDS = ["great", "good", "okay", "terrible", "bad"]
TEXTS = [f"the movie was {a} and {b}" for a in WORDS for b in WORDS]


@pytest.fixture(scope="module", params=["prompt", "norm"])
def artifact(request, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("texts")
    return pouf_core.adapt(
        TEXTS,
        ["bad", "great"],
        base_model=f"sentence:{save_sentence_encoder(folder / 'encoder')}",
        method={"tune": request.param, "max_steps": 1, "batch_size": 8, "selection": "last"},
        out=folder / "model",
        device="cpu",
        threads=1,
    ).path


@pytest.fixture
def ask(settings, rows, storage, artifact):
    model_id = rows.model()
    storage.put_directory(f"models/{model_id}", artifact)
    with TestClient(create_app(settings)) as api:
        yield lambda inputs, **options: api.post(
            f"/v1/models/{model_id}/predict",
            content=json.dumps({"inputs": inputs, "variant": "adapted", **options}),  # surrogates as they are escaped
            headers={"Content-Type": "application/json"},
        )


def test_http_answers_equal_those_of_the_library(ask, artifact):
    answer = ask([{"text": text} for text in TEXTS], top_k=2).json()
    expected = pouf_core.load(artifact, device="cpu").predict(TEXTS, 2, answer["served_variant"])
    assert [shown["label"] for shown in answer["predictions"]] == [prediction.label for prediction in expected]
    scores = [shown["score"] for shown in answer["predictions"]]
    assert scores == pytest.approx([prediction.score for prediction in expected], abs=1e-5)


BAD = [
    ({"image": "aGVsbG8="}, "wrong_modality"),
    ({"text": "a", "text_pair": "b"}, "text_pair_not_supported"),
    ({"text_pair": "b"}, "empty_input"),
    ({"text": " \n"}, "empty_text"),
    ({"text": ""}, "empty_text"),
    ({"text": "\ufeff"}, "empty_text"),
    ({"text": "nul\0"}, "undecodable_text"),
    ({"text": "\ud800 alone"}, "undecodable_text"),
    ("\udfff", "undecodable_text"),
    ({"text": "a" * 100_001}, "text_too_long"),
    ({"text": "a", "image": "aGVsbG8="}, "ambiguous_input"),
]


# the longest, emoji alone, a byte order mark, marks of direction, a space of no width alone, no character
ODD = ["a" * 100_000, "\U0001f600\u200d", "\ufeffgood", "\u202egood\u202c\u2067", "\u200b", "\ufffe"]


def test_bad_inputs_fail_alone(ask, refused):
    answers = ask([*ODD, *(item for item, _ in BAD)]).json()["predictions"]
    odd, bad = answers[: len(ODD)], answers[len(ODD) :]
    assert {shown.get("label") for shown in odd} <= {"bad", "great"}
    assert [shown["error"]["code"] for shown in bad] == [code for _, code in BAD]
    refused(ask([BAD[0][0]]), 422, "wrong_modality", "/inputs/0")
