"""Base models leave memory beyond a byte budget, with the models adapted from them."""

import gc
import weakref

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

import pouf_core
from app.main import create_app

PICTURES = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "green", "white")]
TEXTS = ["it broke at once", "a fine lamp", "it works well", "never again"]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("adapted")

    def adapted(items, base_model):
        return pouf_core.adapt(
            items, ["good", "bad"], base_model=base_model, method={"type": "zero-shot"}, out=folder / base_model
        ).path

    return {"pouf-lite": adapted(PICTURES, "pouf-lite"), "minilm": adapted(TEXTS, "minilm")}


def loaded(api):
    return {item["name"] for item in api.get("/v1/base-models").json()["data"] if item["loaded"]}


def test_a_base_model_beyond_the_budget_is_unloaded_and_loaded_again_when_asked_for(
    settings, rows, storage, artifacts, make_picture
):
    models = {}
    for name, path in artifacts.items():
        models[name] = rows.model()
        storage.put_directory(f"models/{models[name]}", path)
    another = rows.model()
    storage.put_directory(f"models/{another}", artifacts["pouf-lite"])
    application = create_app(settings.model_copy(update={"base_model_cache_bytes": 1}))
    with TestClient(application) as api:

        def predict_text():
            answer = api.post(f"/v1/models/{models['minilm']}/predict", json={"inputs": [{"text": "a lamp"}]})
            return answer.json()["predictions"][0]["score"]

        def predict_picture(model):
            files = {"image": ("a.png", make_picture(0))}
            assert api.post(f"/v1/models/{model}/predict", files=files).status_code == 200

        before = predict_text()
        assert "minilm" in loaded(api)
        minilm = weakref.ref(application.state.pouf.engine.base_models.pool.get("minilm"))
        predict_picture(models["pouf-lite"])
        assert loaded(api) == {"pouf-lite"}
        gc.collect()
        assert minilm() is None
        assert predict_text() == before
        predict_picture(another)
        assert loaded(api) == {"pouf-lite"}
        assert 'pouf_base_model_cache{kind="models"} 1.0' in api.get("/metrics").text
