"""Predict requests are refused before they take what others need."""

import base64
import gc
import io
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.main import create_app
from app.serving.batcher import Batcher
from app.serving.inputs import DecoderPool, item_bytes
from tests.app.colour_engine import ColourEngine
from tests.waiting import WAIT_SECONDS

SMALL = {"predict_pixels": 1_000_000, "request_memory_bytes": 2 * 1024**2}


@pytest.fixture
def limited(settings, rows, make_key):
    """A service with small budgets, asked as `ask(owner's key, pictures)`."""
    keys = {owner: make_key(owner) for owner in ("mallory", "alice")}
    models = {owner: rows.model(owner=owner) for owner in keys}
    with TestClient(create_app(settings.model_copy(update=SMALL), ColourEngine)) as api:

        def ask(owner, inputs):
            headers = {"Authorization": f"Bearer {keys[owner]}"}
            return api.post(f"/v1/models/{models[owner]}/predict", json={"inputs": inputs}, headers=headers)

        yield ask


def image(side, colour="red"):
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "PNG")
    return {"image": base64.b64encode(buffer.getvalue()).decode()}


@pytest.fixture
def decoded(monkeypatch):
    """How many pictures were decoded so far."""
    count = []
    decode = DecoderPool.decode
    monkeypatch.setattr(DecoderPool, "decode", lambda self, data: count.append(1) or decode(self, data))
    return count


def test_more_pixels_than_may_be_decoded_are_refused_before_one_is(limited, refused, decoded):
    refused(limited("alice", [image(500)] * 3), 413, "too_many_pixels")
    assert not decoded
    assert limited("alice", [image(500)] * 2).status_code == 200
    assert len(decoded) == 2


def test_an_owner_that_holds_its_share_is_refused_and_others_are_served(limited, refused, monkeypatch):
    busy, go = threading.Event(), threading.Event()
    decode = DecoderPool.decode

    def slow(self, data):
        busy.set()
        go.wait(WAIT_SECONDS)
        return decode(self, data)

    monkeypatch.setattr(DecoderPool, "decode", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(limited, "mallory", [image(600)])
        assert busy.wait(WAIT_SECONDS)
        answer = limited("mallory", [image(500)])
        refused(answer, 429, "owner_overloaded")
        assert answer.headers["retry-after"]
        monkeypatch.setattr(DecoderPool, "decode", decode)
        assert limited("alice", [image(600)]).status_code == 200
        go.set()
        assert first.result().status_code == 200
    assert limited("mallory", [image(500)]).status_code == 200


def test_extreme_pictures_fail_alone(limited):
    buffer = io.BytesIO()
    Image.new("1", (65_000, 1)).save(buffer, "PNG")
    line = {"image": base64.b64encode(buffer.getvalue()).decode()}
    first, second = limited("alice", [line, image(8)]).json()["predictions"]
    assert first["error"]["code"] == "extreme_aspect_ratio"
    assert second["label"] == "red"


def test_bodies_that_become_large_when_parsed_are_refused(limited, refused):
    nested = [[] for _ in range(200_000)]
    refused(limited("alice", nested), 413, "request_too_demanding")


def test_bodies_under_way_are_counted_as_they_come(settings, rows, make_key, refused):
    key, model = make_key("mallory"), rows.model(owner="mallory")
    with TestClient(create_app(settings.model_copy(update=SMALL), ColourEngine)) as api:
        answer = api.post(
            f"/v1/models/{model}/predict",
            content=iter([b'{"inputs": [{"image": "', *[b"A" * 2**18] * 8, b'"}]}']),
            headers={"Authorization": f"Bearer {key}", "content-type": "application/json"},
        )
    refused(answer, 413, "request_too_demanding")


def test_the_last_batch_does_not_stay_in_memory():
    class Encoder:
        key = "a"

        def encode(self, items):
            return [0 for _ in items]

    batcher = Batcher(4, 0, 10, 10**9, item_bytes)
    batcher.start()
    try:
        item = Image.new("RGB", (10, 10))
        gone = weakref.ref(item)
        (future,) = batcher.submit(Encoder(), [item])
        future.result(WAIT_SECONDS)
        del item, future
        deadline = time.monotonic() + WAIT_SECONDS
        while gone() is not None and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert gone() is None
    finally:
        batcher.stop()
