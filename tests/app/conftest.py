"""The API over a private directory, with a tiny predictor in place of a real base model, and rows to work on."""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from app.http.protocol import PatientProtocol
from app.main import create_app
from app.services import keys
from app.services.keys import NewKey
from app.settings import Settings
from app.store.database import Database
from app.store.ids import new_id
from app.store.models import AdaptedModel, Dataset, Job
from app.store.storage import Storage
from app.store.transitions import start_life, transition
from app.store.webhook_models import Webhook, WebhookDelivery
from tests.app.colour_engine import COLOURS, ColourEngine


@dataclass
class Rows:
    """Makes rows directly, where a route would need a worker."""

    database: Database
    storage: Storage

    def dataset(self, status: str = "ready", **values: Any) -> str:
        dataset = Dataset(id=new_id("ds"), status=status, **{"owner": "local", "modality": "image", **values})
        with self.database.write() as session:
            session.add(dataset)
        return dataset.id

    def job(self, *path: str, dataset_id: str | None = None, **values: Any) -> str:
        """A queued job moved along `path`."""
        job = Job(
            id=new_id("job"),
            dataset_id=dataset_id or self.dataset(),
            request={},
            method={"tune": "prompt"},
            class_names=COLOURS,
            prompt_template=["a photo of a {}."],
            warnings=[],
            **{"owner": "local", "base_model": "pouf-lite", **values},
        )
        with self.database.write() as session:
            start_life(session, job)
            for status in path:
                transition(session, job, status)
        return job.id

    def move(self, job_id: str, status: str, stage: str | None = None) -> None:
        with self.database.write() as session:
            transition(session, session.get_one(Job, job_id), status, stage)

    def model(self, **values: Any) -> str:
        model_id = new_id("mdl")
        key = f"models/{model_id}"
        self.storage.put_stream(f"{key}/pouf.json", [json.dumps({"id": model_id}).encode()])
        self.storage.put_stream(f"{key}/adapter.safetensors", [b"x" * 1_000_000])
        row = AdaptedModel(
            id=model_id,
            job_id=self.job("running", "succeeded"),
            base_model="pouf-lite",
            tune="prompt",
            method={"tune": "prompt"},
            class_names=COLOURS,
            prompt_template=["a photo of a {}."],
            storage_key=key,
            size_bytes=1,
            fingerprint="f" * 64,
            **{"owner": "local", **values},
        )
        with self.database.write() as session:
            session.add(row)
        return model_id

    def webhook(self, url: str = "https://example.com/hook", **values: Any) -> str:
        columns = {"owner": "local", "event_types": ["job.succeeded"], "secret": "whsec_c2VjcmV0", **values}
        hook = Webhook(id=new_id("whk"), url=url, **columns)
        with self.database.write() as session:
            session.add(hook)
        return hook.id

    def delivery(self, webhook_id: str, **values: Any) -> str:
        columns = {"owner": "local", "job_id": "job_1", "event_type": "job.succeeded", "body": "{}", **values}
        delivery = WebhookDelivery(id=new_id("msg"), webhook_id=webhook_id, **columns)
        with self.database.write() as session:
            session.add(delivery)
        return delivery.id


@pytest.fixture
def rows(database: Database, storage: Storage) -> Rows:
    return Rows(database, storage)


@pytest.fixture
def application(settings: Settings) -> FastAPI:
    return create_app(settings, ColourEngine)


@pytest.fixture
def api(application: FastAPI) -> Iterator[TestClient]:
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """PNG files of one colour."""

    def make(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", size, colour).save(buffer, "PNG")
        return buffer.getvalue()

    return make


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """Asserts a problem document and returns it."""

    def check(response: Any, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
        assert response.headers["content-type"] == "application/problem+json", response.text
        problem: dict[str, Any] = response.json()
        assert (response.status_code, problem["code"]) == (status, code), problem
        assert set(problem) >= {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
        assert problem["status"] == status
        assert problem["detail"]
        assert problem["request_id"] == response.headers["x-request-id"]
        if pointer is not None:
            assert (pointer, code) in [(error["pointer"], error["code"]) for error in problem["errors"]], problem
        return problem

    return check


@pytest.fixture
def server(application: FastAPI) -> Iterator[httpx.Client]:
    """A client of the API behind a real server, for what only that does: streams, and clients that leave."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=PatientProtocol, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture
def make_key(settings: Settings, database: Database) -> Callable[..., str]:
    """Makes API keys and returns their texts; limits are keyword arguments."""

    def make(owner: str = "alice", *scopes: str, expires_at: datetime | None = None, **limits: int) -> str:
        wanted = NewKey(owner, "test", scopes or ("admin",), expires_at, limits)
        return keys.create(settings, database, wanted)[1]

    return make
