import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from store import bucket as module
from store.bucket import make_bucket
from tests.waiting import WAIT_SECONDS

REFUSAL = b"<Error><Code>InvalidAccessKeyId</Code><Message>No such key.</Message></Error>"


def test_a_storage_that_is_not_there_yet_is_waited_for(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)
    answers = [ConnectionRefusedError("nobody"), None]

    def make(name):
        answer = answers.pop(0)
        if answer:
            raise answer

    assert make_bucket("b", make) is None
    assert answers == []


def test_a_storage_that_never_comes_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)

    def make(name):
        raise ConnectionRefusedError("nobody is there")

    reason = make_bucket("pictures", make, seconds=0.01)
    assert "pictures" in reason
    assert "nobody is there" in reason


@pytest.fixture
def refusing():
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.send_response(403)
            self.send_header("Content-Length", str(len(REFUSAL)))
            self.end_headers()
            self.wfile.write(REFUSAL)

        do_GET = do_HEAD = do_PUT  # noqa: N815

        def log_message(self, *arguments):
            """Not to the test's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_wrong_keys_end_it_at_once_with_the_variables_that_hold_them(refusing, tmp_path):
    pytest.importorskip("s3fs")
    environment = {
        "POUF_STORAGE_URL": "s3://pictures/pouf",
        "AWS_ENDPOINT_URL": refusing,
        "AWS_ACCESS_KEY_ID": "wrong",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": ":".join(sys.path),
    }
    command = [sys.executable, "-m", "store.bucket"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert ended.returncode == 1
    assert "AWS_ACCESS_KEY_ID" in ended.stderr
    assert "Traceback" not in ended.stderr
