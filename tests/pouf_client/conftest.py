import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pouf_client import Client, connection, jobs, waiting


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    #: Close the connection after the headers and this many bytes of the body.
    cut_at: int | None = None


def answer(document) -> Answer:
    return Answer(200, json.dumps(document).encode())


def job(status: str, **fields) -> Answer:
    return answer({"id": "job_1", "status": status, "dataset_id": "ds_1", **fields})


def stream(*events: tuple[int, str], cut_at: int | None = None) -> Answer:
    lines = [
        f"id: {seq}\nevent: {kind}\ndata: {json.dumps({'seq': seq, 'type': kind, 'data': {}})}\n\n"
        for seq, kind in events
    ]
    return Answer(200, "".join([": ping\n\n", *lines]).encode(), {"Content-Type": "text/event-stream"}, cut_at)


def problem(status: int, code: str, **headers: str) -> Answer:
    body = {"code": code, "detail": f"It is {code}.", "request_id": "req_1", "errors": [{"pointer": "/a"}]}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **headers})


class ScriptedServer:
    """A real HTTP server that gives the next answer of a script and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer | Callable[[Request], Answer]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self._body()
                script.requests.append(Request(self.command, self.path, dict(self.headers), body))
                answer = script.answers.pop(0)
                self._send(answer(script.requests[-1]) if callable(answer) else answer)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                return b"".join(chunks)

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut_at])
                if answer.cut_at is not None:
                    self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                """Not to the test's output."""

        return Handler


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE_SECONDS", 0.01)
    made = ScriptedServer()
    yield made
    made.close()


@pytest.fixture
def client(server, monkeypatch):
    monkeypatch.setattr(jobs, "RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "PAUSE_SECONDS", 0.01)
    with Client(server.url) as made:
        yield made
