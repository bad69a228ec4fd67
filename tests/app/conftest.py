"""The API over a private directory, with a tiny predictor in place of a real base model, and rows to work on."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from app.http.protocol import SlowClientProtocol
from app.keys import service as keys
from app.keys.service import NewKey
from app.main import create_app
from store.database import Database
from store.settings import Settings
from tests.app.colour_engine import ColourEngine
from tests.app.documented import documented_statuses
from tests.waiting import WAIT_SECONDS


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
    """Asserts a problem document, whose status the OpenAPI document has for the operation, and returns it."""

    def check(response: Any, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
        assert response.headers["content-type"] == "application/problem+json", response.text
        problem: dict[str, Any] = response.json()
        assert (response.status_code, problem["code"]) == (status, code), problem
        assert set(problem) >= {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
        assert problem["status"] == status
        assert problem["detail"]
        assert problem["request_id"] == response.headers["x-request-id"]
        documented = documented_statuses(response.request.method, response.request.url.path)
        assert documented is None or status in documented, f"{response.request.url}: {status} is not documented"
        if pointer is not None:
            assert (pointer, code) in [(error["pointer"], error["code"]) for error in problem["errors"]], problem
        return problem

    return check


@pytest.fixture
def server(application: FastAPI) -> Iterator[httpx.Client]:
    """A client of the API behind a real server, for what only that does: streams, and clients that leave."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=SlowClientProtocol, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=WAIT_SECONDS) as client:
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
