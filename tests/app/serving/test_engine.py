"""Serving a really adapted model through the real engine."""

import io
import threading
from queue import Queue
from threading import Event

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

import pouf_core
from app.main import create_app
from app.serving.engine import Engine
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def pictures():
    images = []
    for i in range(12):
        colour = (255, 20 * i, 0) if i % 2 else (0, 20 * i, 255)
        images.append(Image.new("RGB", (40 + 10 * i, 64), colour))
    return images


@pytest.fixture(scope="module", params=["prompt", pytest.param("head", marks=pytest.mark.slow)])
def artifact(request, pictures, tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("adapted") / "model"
    method = {"tune": request.param, "max_steps": 1, "batch_size": 8, "selection": "last"}
    return pouf_core.adapt(pictures, ["red", "blue"], method=method, out=path, device="cpu", threads=1).path


def test_http_answers_equal_those_of_the_library(settings, rows, storage, artifact, pictures):
    model_id = rows.model()
    storage.put_directory(f"models/{model_id}", artifact)
    files = []
    for index, image in enumerate(pictures):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        files.append(("image", (f"{index}.png", buffer.getvalue())))
    with TestClient(create_app(settings)) as api:
        for variant in ("adapted", "zero_shot"):
            answer = api.post(
                f"/v1/models/{model_id}/predict", data={"variant": variant, "top_k": "2"}, files=files
            ).json()
            expected = pouf_core.load(artifact, device="cpu").predict(pictures, 2, variant)
            for shown, prediction in zip(answer["predictions"], expected, strict=True):
                assert (shown["label"], shown["class_index"]) == (prediction.label, prediction.class_index)
                assert shown["score"] == pytest.approx(prediction.score, abs=1e-5)
                assert len(shown["top_k"]) == 2


def test_a_damaged_artifact_is_not_served(settings, rows, storage, artifact, refused, pictures, caplog):
    model_id = rows.model()
    storage.put_directory(f"models/{model_id}", artifact)
    storage.put_stream(f"models/{model_id}/metrics.json", [b"[]"])
    buffer = io.BytesIO()
    pictures[0].save(buffer, "PNG")
    with TestClient(create_app(settings), raise_server_exceptions=False) as api:
        response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", buffer.getvalue())})
        refused(response, 500, "artifact_corrupt")
        assert str(settings.data_dir) not in response.text
    assert str(settings.data_dir) in caplog.text


def test_base_models_are_converted_while_pytorch_serves(settings, rows, storage, artifact, pictures):
    model_id = rows.model()
    storage.put_directory(f"models/{model_id}", artifact)
    buffer = io.BytesIO()
    pictures[0].save(buffer, "PNG")
    files = {"image": ("a.png", buffer.getvalue())}

    def engine(api):
        listed = {item["name"]: item for item in api.get("/v1/base-models").json()["data"]}
        return listed["pouf-lite"]["engine"]

    def predict(api):
        return api.post(f"/v1/models/{model_id}/predict", data={"variant": "adapted"}, files=files).json()

    with TestClient(create_app(settings)) as api:
        expected = predict(api)["predictions"][0]
        assert engine(api)["name"] == "torch"
    with TestClient(create_app(settings.model_copy(update={"engine": "auto"}))) as api:
        predict(api)
        wait_for(lambda: predict(api)["predictions"] and (engine(api) or {}).get("name") == "openvino")
        answer = predict(api)
        assert engine(api)["precision"] == "float32"
        assert engine(api)["agreement"] >= 0.99999
    assert answer["predictions"][0]["label"] == expected["label"]
    assert answer["predictions"][0]["score"] == pytest.approx(expected["score"], abs=1e-4)
    assert list(settings.engine_dir.glob("*/model.xml"))


def test_a_process_does_not_end_while_native_code_still_loads_a_model(settings, storage, monkeypatch):
    loading: Queue[threading.Thread] = Queue()
    may_end = Event()

    def load(_: Engine) -> None:
        loading.put(threading.current_thread())
        may_end.wait()

    monkeypatch.setattr(Engine, "_warm_up", load)
    engine = Engine(settings, storage)
    engine.start()
    try:
        assert not loading.get(timeout=60).daemon  # which the interpreter waits for
    finally:
        may_end.set()
        engine.stop()
