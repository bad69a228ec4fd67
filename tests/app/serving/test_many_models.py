"""Many models adapted from one base model: each is a small read, and they share its encoder and its batches."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

import pouf_core
from app.main import create_app
from pouf_core.artifact import load_artifact, save_artifact
from pouf_core.families import loading
from pouf_core.families.cosine.cosine_model import CosineModel

MODELS = 30
REQUESTS = 60
PICTURES = [Image.new("RGB", (40, 40), (20 * i, 10, 250 - 20 * i)) for i in range(12)]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Variants of a prompt-tuned model, every other with its classes' prototypes exchanged."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("adapted")
    method = {"tune": "prompt", "max_steps": 1, "batch_size": 8, "selection": "last"}
    adapted = pouf_core.adapt(PICTURES, ["red", "blue"], method=method, out=folder / "0", device="cpu", threads=1)
    artifact = load_artifact(adapted.path)
    name = "prototypes.adapted"
    exchanged = replace(artifact, tensors=artifact.tensors | {name: artifact.tensors[name].flip(0)})
    return [save_artifact(folder / f"{i}-copy", exchanged if i % 2 else artifact) for i in range(MODELS)]


def test_they_share_one_base_model_and_its_batches(settings, rows, storage, artifacts, make_picture, monkeypatch):
    models = [rows.model() for _ in artifacts]
    for model_id, path in zip(models, artifacts, strict=True):
        storage.put_directory(f"models/{model_id}", path)
    loads = []
    load = loading.load_base_model
    monkeypatch.setattr(loading, "load_base_model", lambda *given: loads.append(given) or load(*given))
    monkeypatch.setattr(CosineModel, "prototypes", None)  # no prompt is encoded for a model that is only served
    picture = make_picture(0)
    application = create_app(settings)
    with TestClient(application) as api:

        def ask(number):
            url = f"/v1/models/{models[number % MODELS]}/predict"
            answer = api.post(url, files={"image": ("a.png", picture)}, data={"variant": "adapted", "top_k": "2"})
            ranked = {item["label"]: item["score"] for item in answer.json()["predictions"][0]["top_k"]}
            return number, ranked["red"]

        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(ask, range(REQUESTS)))
        engine = application.state.pouf.engine
        usage = engine.cache.usage()
        batcher = engine.batcher
        batches = batcher.batches
    assert len(loads) == 1
    red = answers[0][1]
    assert red != pytest.approx(1 - red, abs=1e-3)
    assert all(score == pytest.approx(1 - red if number % 2 else red, abs=1e-4) for number, score in answers)
    assert batcher.items >= REQUESTS  # readiness is asked by forward passes, too
    assert batches < REQUESTS / 2  # no two models of one request: batches mix models
    assert usage["models"] == MODELS
    assert usage["bytes"] < MODELS * 10_000  # two prototypes of each variant
