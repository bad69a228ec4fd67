import errno
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from fastapi.testclient import TestClient

from app.health import readiness
from app.main import create_app
from app.serving.engine import Engine
from store import disk
from tests.waiting import WAIT_SECONDS, wait_for


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
        wait_for(lambda: api.get("/health/ready").is_success, lambda: api.get("/health/ready").text)
        return api

    @pytest.fixture
    def eventually(self, ready_api):
        """Asks until the answer has the status, and returns its checks."""

        def ask(status):
            deadline = time.monotonic() + WAIT_SECONDS
            while (response := ready_api.get("/health/ready")).status_code != status:
                assert time.monotonic() < deadline, response.text
                time.sleep(0.1)
            return response.json()["checks"]

        return ask

    def test_a_base_model_that_is_loaded_when_it_is_needed_is_not_waited_for(self, settings, valkey_url):
        application = create_app(settings.model_copy(update={"redis_url": valkey_url, "preload": False}))
        with TestClient(application) as api:
            wait_for(lambda: api.get("/health/ready").is_success, lambda: api.get("/health/ready").text)
            assert application.state.pouf.engine.base_models.loaded() == []

    def test_ready_means_that_a_picture_went_through_the_base_model(
        self, ready_api, application, monkeypatch, eventually
    ):
        engine = application.state.pouf.engine
        assert engine.batcher.batches >= 1
        assert ready_api.get("/v1/base-models").json()["data"][0]["loaded"] is True

        def broken(pixels):
            raise RuntimeError("device lost")

        monkeypatch.setattr(engine.base_models.pool.get("pouf-lite"), "encode_images", broken)
        assert "device lost" in eventually(503)["serving"]["reason"]
        monkeypatch.undo()
        assert eventually(200)["serving"]["ok"]

    def test_a_full_disk_and_a_broken_database_are_told(self, ready_api, application, eventually):
        application.state.pouf.settings.min_free_bytes = 2**60
        time.sleep(readiness.CACHE_SECONDS)
        response = ready_api.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "ready")
        assert "must stay free" in response.json()["checks"]["disk"]["reason"]
        application.state.pouf.database.engine.dispose()
        (application.state.pouf.settings.data_dir / "pouf.db").write_bytes(b"no database")
        assert eventually(503)["database"]["ok"] is False

    @pytest.fixture
    def probed_once(self, monkeypatch):
        monkeypatch.setattr(readiness, "PROBE_SECONDS", 1000)
        monkeypatch.setattr(readiness, "CHECK_SECONDS", 1000)

    @pytest.mark.parametrize("ill", [{"maxmemory": "1"}, {"min-replicas-to-write": "1"}])
    def test_a_broker_that_answers_and_takes_nothing_is_told(self, ready_api, eventually, valkey_url, ill):
        with redis.Redis.from_url(valkey_url) as broker:
            well = {name: broker.config_get(name)[name] for name in ill}
            for name, value in ill.items():
                broker.config_set(name, value)
            try:
                assert "log" in eventually(503)["broker"]["reason"]
            finally:
                for name, value in well.items():
                    broker.config_set(name, value)
        assert eventually(200)["broker"]["ok"]

    def test_a_broker_that_others_put_something_else_into_is_told(self, ready_api, eventually, valkey_url):
        with redis.Redis.from_url(valkey_url) as broker:
            broker.delete("notify")
            broker.set("notify", "no queue")
            try:
                assert "log" in eventually(503)["broker"]["reason"]
            finally:
                broker.delete("notify")
        assert eventually(200)["broker"]["ok"]

    def test_however_many_ask_no_forward_pass_is_run_for_them(self, probed_once, ready_api, application, monkeypatch):
        pings = []
        monkeypatch.setattr(application.state.pouf.queue.__class__, "ping", lambda self: pings.append(1))
        batches = application.state.pouf.engine.batcher.batches
        started = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            statuses = set(pool.map(lambda _: ready_api.get("/health/ready").status_code, range(200)))
        assert statuses == {200}
        assert application.state.pouf.engine.batcher.batches == batches
        assert len(pings) <= 2 + (time.monotonic() - started) / readiness.CACHE_SECONDS


def test_a_base_model_that_cannot_be_loaded_is_a_reason(settings):
    with TestClient(create_app(settings.model_copy(update={"base_models": ["open_clip:/nowhere"]}))) as api:
        deadline = time.monotonic() + WAIT_SECONDS
        while "still loading" in (reason := api.get("/health/ready").json()["checks"]["serving"]["reason"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "could not be loaded" in reason


def test_a_directory_that_may_not_be_looked_into_is_not_told_to_everybody(api, settings, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(disk.shutil, "disk_usage", refuse)
    checks = api.get("/health/ready").json()["checks"]
    assert checks["disk"]["ok"] is False
    assert str(settings.data_dir) not in json.dumps(checks)
