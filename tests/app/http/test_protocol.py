"""Connections that keep the service waiting, or are too many, over a real server and raw sockets."""

import json
import socket
import threading
import time
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from app.http.protocol import SlowClientProtocol, connection_limits
from app.main import create_app
from tests.app.colour_engine import ColourEngine
from tests.waiting import WAIT_SECONDS, wait_for

MAX_CONNECTIONS = 3
WHOLE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def stall_seconds():
    return 0.5


@pytest.fixture
def limited(settings, stall_seconds):
    return settings.model_copy(update={"stall_seconds": stall_seconds, "max_connections": MAX_CONNECTIONS})


@pytest.fixture
def application(limited):
    return create_app(limited, ColourEngine)


@pytest.fixture
def connect(server):
    opened = []

    def begin(data=b""):
        connection = socket.create_connection((server.base_url.host, server.base_url.port), timeout=WAIT_SECONDS)
        opened.append(connection)
        connection.sendall(data)
        return connection

    yield begin
    for connection in opened:
        connection.close()


def answer(connection):
    """Everything until the server closes the connection."""
    received = b""
    while block := connection.recv(65_536):
        received += block
    return received


def one_answer(connection):
    """Of JSON, after which the connection stays open."""
    received = b""
    while not received.endswith(b"}"):
        block = connection.recv(65_536)
        assert block
        received += block
    return received


def refused_with(text, status, code):
    head, _, body = text.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert b"application/problem+json" in head
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert (problem["status"], problem["code"]) == (status, code)
    return head


@pytest.mark.parametrize("beginning", [b"", b"GET /health", WHOLE[:-2]])
def test_a_request_whose_head_stops_is_cut_off(connect, beginning):
    refused_with(answer(connect(beginning)), 408, "client_stalled")


def test_start_commands_may_give_the_former_name_of_the_protocol(application):
    config = uvicorn.Config(application, http="app.http.protocol:PatientProtocol")
    config.load()
    assert config.http_protocol_class is SlowClientProtocol


def test_a_head_that_comes_byte_by_byte_is_cut_off(connect):
    connection = connect(WHOLE[:-2] + b"X-Slow: ")
    with pytest.raises(OSError):
        for _ in range(600):
            connection.sendall(b"x")
            time.sleep(0.1)


def test_the_head_of_a_later_request_has_to_come_too(connect):
    connection = connect(WHOLE)
    assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
    connection.sendall(WHOLE[:10])
    refused_with(answer(connection), 408, "client_stalled")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"BEGIN\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000, 431),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n", 400),
        (
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\n" + WHOLE,
            400,
        ),
    ],
    ids=["no request", "no Host", "long head", "no chunk", "two lengths"],
)
def test_what_is_no_http_is_answered_by_a_problem_document(connect, request_, status):
    refused_with(answer(connect(request_)), status, "invalid_http_request")


def test_a_body_may_not_go_on_for_ever_once_it_is_answered(connect):
    connection = connect(b"POST /v1/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
    assert one_answer(connection).startswith(b"HTTP/1.1 413 ")
    with pytest.raises(OSError):
        for _ in range(600):
            connection.sendall(b"x")
            time.sleep(0.1)


@pytest.mark.parametrize("stall_seconds", [60])
def test_a_request_after_a_body_that_was_answered_early_is_answered(connect, monkeypatch):
    monkeypatch.setattr("app.http.protocol.TURN_SECONDS", 0)
    monkeypatch.setattr("app.http.protocol.HIGH_WATER_LIMIT", 0)
    head = b"POST /v1/none HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection = connect(head + b"1\r\n \r\n" * 3)
    assert one_answer(connection).startswith(b"HTTP/1.1 404 ")
    for part in (b"1\r\n \r\n" * 100, b"0\r\n\r\n" + WHOLE):
        connection.sendall(part)
        time.sleep(0.1)
    assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_an_answer_may_take_longer_than_a_request(server, rows, stall_seconds):
    started = time.monotonic()
    waited = server.get(f"/v1/jobs/{rows.job('paused')}", headers={"Prefer": "wait=1"})
    assert waited.status_code == 200
    assert time.monotonic() - started > stall_seconds


@pytest.mark.parametrize("stall_seconds", [60])
class TestConnectionsAboveTheLimit:
    def test_the_newest_is_refused_while_all_have_a_request(self, connect):
        head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        held = [connect(head + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n") for _ in range(MAX_CONNECTIONS)]
        for connection in held:
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        assert b"Retry-After: " in refused_with(answer(connect()), 503, "too_many_connections")
        held.pop().close()
        wait_for(lambda: connect(WHOLE).recv(65_536).startswith(b"HTTP/1.1 200 "))

    def test_one_that_says_nothing_makes_room(self, connect):
        silent = [connect(beginning) for beginning in (b"", WHOLE[:-2], b"")]
        for connection in silent:
            assert one_answer(connect(WHOLE)).startswith(b"HTTP/1.1 200 ")
            refused_with(answer(connection), 503, "too_many_connections")

    def test_one_between_two_requests_makes_room_without_a_word(self, connect):
        kept = [connect(WHOLE) for _ in range(MAX_CONNECTIONS)]
        for connection in kept:
            one_answer(connection)
        assert one_answer(connect(WHOLE)).startswith(b"HTTP/1.1 200 ")
        assert [answer(connection) for connection in kept[:1]] == [b""]


@pytest.mark.parametrize("stall_seconds", [60])
def test_a_body_of_tiny_chunks_is_taken_apart_in_turns(connect, monkeypatch):
    monkeypatch.setattr("app.http.protocol.TURN_SECONDS", 0)
    turns = []
    take = SlowClientProtocol.handle_events
    monkeypatch.setattr(SlowClientProtocol, "handle_events", lambda self: (turns.append(self.flow.backlog), take(self)))
    text = json.dumps({"dataset_id": "ds_0", "class_names": ["a", "b"]}).encode()
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in text + b" " * 3000)
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    text = answer(connect(head + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"))
    refused_with(text, 422, "dataset_not_found")
    assert len(turns) > 3000


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux's kernel gives up unread answers")
class TestUnreadAnswers:
    ended = threading.Event()

    @pytest.fixture
    def application(self, limited):
        """Answers without an end."""

        async def endless():
            try:
                while True:
                    yield bytes(65_536)
                    await anyio.sleep(0)
            finally:
                self.ended.set()

        @asynccontextmanager
        async def lifespan(_):
            yield connection_limits(limited)

        async def answer(_):
            return StreamingResponse(endless())

        return Starlette(routes=[Route("/", answer)], lifespan=lifespan)

    def test_a_client_that_does_not_read_its_answer_is_cut_off(self, connect):
        connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert self.ended.wait(WAIT_SECONDS)
