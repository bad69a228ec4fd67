import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.addresses import base_url, free_port, port_is_free, why_not_ready


def test_a_taken_port_is_recognised():
    port = free_port("127.0.0.1")
    assert port_is_free("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_an_error():
    with pytest.raises(OSError, match=os.strerror(99) if os.uname().sysname == "Linux" else ""):
        port_is_free("192.0.2.1", 8000)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("example.org", "http://example.org:80"),
    ],
)
def test_an_any_address_is_called_over_loopback(host, url):
    assert base_url(host, 80) == url


@pytest.fixture
def health():
    """A server whose answer to everything is `status` and `body`."""

    class Handler(BaseHTTPRequestHandler):
        status, body = 200, b"{}"

        def do_GET(self):
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_):
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_is_ready_when_its_health_answer_says_so(health):
    assert why_not_ready(health[1]) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"broker": "no answer"}', 'status 503: {"broker": "no answer"}'),
        (b"bad gateway", "status 503: bad gateway"),
    ],
)
def test_a_service_that_is_not_ready_gives_its_reason(health, body, reason):
    answer, url = health
    answer.status, answer.body = 503, body
    assert why_not_ready(url) == reason


def test_a_service_that_does_not_listen_is_not_ready():
    assert "refused" in why_not_ready(f"http://127.0.0.1:{free_port('127.0.0.1')}")


def test_an_answer_that_is_no_http_is_not_ready(health):
    answer, url = health

    def garble(self):
        self.wfile.write(b"no HTTP\r\n\r\n")

    answer.do_GET = garble
    assert "no HTTP" in why_not_ready(url)


def test_a_service_on_this_machine_is_asked_without_a_proxy(health, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert why_not_ready(health[1]) is None
    assert "refused" in why_not_ready("http://pouf.invalid")  # which only the proxy could know
