"""Predictions while the encoder is busy or stops, callers leave, and models are deleted."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.serving.batcher import BatcherStopped, QueueFull
from pouf_core.errors import ArtifactError
from tests.app.colour_engine import ColourEngine, ColourPredictor
from tests.waiting import WAIT_SECONDS, wait_for


def test_requests_for_different_models_share_batches_and_each_model_is_loaded_once(api, application, rows, picture):
    models = [rows.model() for _ in range(4)]
    engine = application.state.pouf.engine
    with ThreadPoolExecutor(16) as pool:
        requests = [(models[i % 4], ("red", "blue")[i % 2]) for i in range(64)]
        answers = list(
            pool.map(
                lambda r: api.post(f"/v1/models/{r[0]}/predict", files={"image": ("a.png", picture(r[1]))}), requests
            )
        )
    assert [answer.json()["predictions"][0]["label"] for answer in answers] == [colour for _, colour in requests]
    assert [answer.json()["model_id"] for answer in answers] == [model for model, _ in requests]
    assert engine.loads == 4
    assert engine.batcher.items == 64
    assert engine.batcher.batches < 64


def test_a_full_queue_is_answered_with_retry_after(application, api, model_id, picture, refused, monkeypatch):
    def full(*_):
        raise QueueFull("full")

    monkeypatch.setattr(application.state.pouf.engine.batcher, "submit", full)
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 503, "overloaded")
    assert int(response.headers["retry-after"]) >= 1


def test_a_stopped_batcher_is_answered_with_503(application, api, model_id, picture, refused, monkeypatch):
    def stopped(*_):
        raise BatcherStopped("stopping")

    monkeypatch.setattr(application.state.pouf.engine.batcher, "submit", stopped)
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 503, "serving_unavailable")


def test_a_prediction_that_takes_too_long_is_answered_with_504(settings, rows, picture, refused):
    release = threading.Event()

    class SlowEngine(ColourEngine):
        def _load(self, storage_key):
            release.wait(WAIT_SECONDS)
            return ColourPredictor(storage_key)

    model_id = rows.model()
    with TestClient(create_app(settings.model_copy(update={"predict_timeout": 0.3}), SlowEngine)) as api:
        started = time.monotonic()
        response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
        refused(response, 504, "predict_timeout")
        assert time.monotonic() - started < WAIT_SECONDS / 2
        release.set()


def test_pictures_of_a_client_that_left_are_not_encoded(server, application, model_id, picture):
    batcher = application.state.pouf.engine.batcher
    gate = threading.Event()

    class Gated:
        key = "gated"

        def encode(self, images):
            assert gate.wait(WAIT_SECONDS)
            return [0] * len(images)

    application.state.pouf.engine._decoders.start()  # else the client leaves while the decoder is starting
    (occupying,) = batcher.submit(Gated(), ["an item"])
    wait_for(occupying.running)
    files = [("image", (f"{i}.png", picture())) for i in range(3)]

    async def leave() -> None:
        async with httpx.AsyncClient(base_url=server.base_url, timeout=WAIT_SECONDS) as client:
            asking = asyncio.ensure_future(client.post(f"/v1/models/{model_id}/predict", files=files))
            async with asyncio.timeout(WAIT_SECONDS):
                while batcher.depth < 3:
                    await asyncio.sleep(0.01)
            asking.cancel()

    asyncio.run(leave())
    assert batcher.depth == 3
    wait_for(lambda: all(item.future.cancelled() for item in batcher._waiting))
    gate.set()
    answer = server.post(f"/v1/models/{model_id}/predict", files=files[:1])
    assert answer.status_code == 200
    assert batcher.items == 2


def test_a_model_deleted_during_a_prediction_still_answers_it(
    server, application, model_id, picture, refused, monkeypatch
):
    encoding, go_on = threading.Event(), threading.Event()
    encode = ColourPredictor._encode

    def encode_slowly(predictor, images):
        encoding.set()
        assert go_on.wait(WAIT_SECONDS)
        return encode(predictor, images)

    monkeypatch.setattr(ColourPredictor, "_encode", encode_slowly)
    request = {"url": f"/v1/models/{model_id}/predict", "files": {"image": ("a.png", picture("blue"))}}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.post, **request)
        assert encoding.wait(WAIT_SECONDS)
        assert server.delete(f"/v1/models/{model_id}").status_code == 204
        refused(server.post(**request), 404, "model_not_found")
        go_on.set()
        assert answer.result(WAIT_SECONDS).json()["predictions"][0]["label"] == "blue"
    refused(server.post(**request), 404, "model_not_found")
    assert application.state.pouf.engine.cache.usage() == {"models": 0, "bytes": 0, "pinned": 0}


@pytest.mark.parametrize(
    "error", [FileNotFoundError("adapter"), ArtifactError("artifact_corrupt", "adapter is missing")]
)
def test_a_model_deleted_while_it_is_loaded_is_not_found(
    api, application, model_id, picture, refused, monkeypatch, error
):
    def delete_and_load(storage_key):
        assert api.delete(f"/v1/models/{model_id}").status_code == 204
        raise error

    monkeypatch.setattr(application.state.pouf.engine.cache, "_load", delete_and_load)
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 404, "model_not_found")
