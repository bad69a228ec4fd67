import time

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.serving.engine import Engine


def test_live_answers_whatever_else_is_wrong(api):
    assert api.get("/health/live").json() == {"status": "ok"}


def test_not_ready_names_every_reason(api):
    response = api.get("/health/ready")
    checks = response.json()["checks"]
    assert response.status_code == 503
    assert checks["database"] == {"ok": True, "reason": None}
    assert "POUF_REDIS_URL" in checks["broker"]["reason"]
    assert "still loading" in checks["serving"]["reason"]
    assert checks["disk"] == {"ok": True, "reason": None}


def test_a_broker_that_does_not_answer_is_a_reason_that_names_no_host(settings):
    with TestClient(create_app(settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"}))) as api:
        reason = api.get("/health/ready").json()["checks"]["broker"]["reason"]
    assert "log" in reason
    assert "127.0.0.1" not in reason


class TestWithEverythingThere:
    @pytest.fixture
    def application(self, settings, valkey_url):
        return create_app(settings.model_copy(update={"redis_url": valkey_url}), Engine)

    @pytest.fixture
    def ready_api(self, api):
        deadline = time.monotonic() + 120
        while api.get("/health/ready").status_code != 200:
            assert time.monotonic() < deadline, api.get("/health/ready").text
            time.sleep(0.2)
        return api

    def test_ready_means_that_a_picture_went_through_the_base_model(self, ready_api, application, monkeypatch):
        engine = application.state.pouf.engine
        batches = engine.batcher.batches
        response = ready_api.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "ready")
        assert engine.batcher.batches == batches + 1
        assert ready_api.get("/v1/base-models").json()["data"][0]["loaded"] is True

        application.state.pouf.settings.min_free_bytes = 2**60
        response = ready_api.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "ready")
        assert "must stay free" in response.json()["checks"]["disk"]["reason"]

        def broken(pixels):
            raise RuntimeError("device lost")

        monkeypatch.setattr(engine.base_models.pool.get("pouf-lite"), "encode_images", broken)
        response = ready_api.get("/health/ready")
        assert response.status_code == 503
        assert "device lost" in response.json()["checks"]["serving"]["reason"]

        monkeypatch.undo()
        application.state.pouf.database.engine.dispose()
        (application.state.pouf.settings.data_dir / "pouf.db").write_bytes(b"no database")
        response = ready_api.get("/health/ready")
        assert response.status_code == 503
        assert response.json()["checks"]["database"]["ok"] is False


def test_a_base_model_that_cannot_be_loaded_is_a_reason(settings):
    with TestClient(create_app(settings.model_copy(update={"base_models": ["open_clip:/nowhere"]}))) as api:
        deadline = time.monotonic() + 60
        while "still loading" in (reason := api.get("/health/ready").json()["checks"]["serving"]["reason"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "could not be loaded" in reason
