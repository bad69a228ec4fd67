"""What people do wrong: each is told in one line, with advice and a code, by an error of the client's own."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cli.addresses import free_port
from pouf_client import Client, ClientError, waiting
from tests.app.conftest import application, make_key, server

__all__ = ["application", "make_key", "server"]


class SomethingElse(BaseHTTPRequestHandler):
    """A server that is no POUF service."""

    def do_GET(self):
        status = 200 if self.path.startswith("/v1/base-models") else 404
        self.send_response(status)
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b"<h1>\nHi\n</h1>\n")

    def log_message(self, *arguments):
        """Not to the test's output."""


@pytest.fixture
def other_server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), SomethingElse)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


@pytest.fixture
def given(rows, tmp_path, monkeypatch):
    """What the uses below name."""
    monkeypatch.setattr(waiting, "PAUSE_SECONDS", 0.01)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("It broke.\n")
    (tmp_path / "reviews.csv").write_text("text\nIt broke.\n")
    return {
        "pictures": rows.model(modality="image"),
        "texts": rows.model(modality="text"),
        "embeddings": rows.model(modality="embedding"),
        "job": rows.job(),
        "failed": rows.job("running", "failed"),
        "dataset": rows.dataset(),
    }


def closed(pouf, given):
    with Client("http://127.0.0.1:8000") as other:
        pass
    other.jobs.get(given["job"])


def deleted_meanwhile(pouf, given):
    def delete(_):
        pouf.jobs.cancel(given["job"])
        pouf.jobs.delete(given["job"])

    pouf.jobs.wait(given["job"], on_progress=delete)


#: Code, what is said, and the use.
USES = [
    ("invalid_url", "http://", lambda pouf, given: Client("127.0.0.1:8000")),
    ("invalid_url", "http://", lambda pouf, given: Client("")),
    ("invalid_url", "leave out '/v1'", lambda pouf, given: Client("http://127.0.0.1:8000/v1/")),
    ("invalid_api_key", "copy it again", lambda pouf, given: Client("http://127.0.0.1:8000", "pouf_é")),
    ("client_closed", "new client", closed),
    ("class_names_no_list", "['a', 'b']", lambda pouf, given: pouf.jobs.create(given["dataset"], "a, b")),
    ("class_names_no_list", "list", lambda pouf, given: pouf.jobs.create(given["dataset"], 7)),
    ("class_name_no_text", "7", lambda pouf, given: pouf.jobs.create(given["dataset"], ["a", 7])),
    ("duplicate_class_name", "class", lambda pouf, given: pouf.jobs.create(given["dataset"], ["a", "a"])),
    ("too_few_classes", "two", lambda pouf, given: pouf.jobs.create(given["dataset"], ["a"])),
    ("no_id", "succeeded", lambda pouf, given: pouf.predict([b"x"], None)),
    ("no_id", "dataset", lambda pouf, given: pouf.jobs.create(None, ["a", "b"])),
    ("dataset_not_found", "ds_1", lambda pouf, given: pouf.jobs.create("ds_1", ["a", "b"])),
    ("model_not_found", "mine", lambda pouf, given: pouf.predict([b"x"], "mine")),
    ("job_not_found", "job_1", lambda pouf, given: pouf.jobs.wait("job_1")),
    ("file_not_found", "no.zip", lambda pouf, given: pouf.datasets.create("no.zip")),
    ("file_not_found", "modality='text'", lambda pouf, given: pouf.datasets.create(["It broke."])),
    ("empty_folder", "no file", lambda pouf, given: pouf.datasets.create("empty")),
    ("no_items", "list", lambda pouf, given: pouf.datasets.create([])),
    ("texts_no_list", "list", lambda pouf, given: pouf.datasets.create_from_texts("It broke.")),
    ("no_pictures", "texts", lambda pouf, given: pouf.predict("texts", given["pictures"])),
    ("file_not_found", "classifies pictures", lambda pouf, given: pouf.predict("It broke.", given["pictures"])),
    ("file_of_texts", "datasets.create", lambda pouf, given: pouf.predict("reviews.csv", given["texts"])),
    ("no_text", "classifies texts", lambda pouf, given: pouf.predict(np.ones((1, 2)), given["texts"])),
    ("no_embedding", "rows of numbers", lambda pouf, given: pouf.predict([["a", "b"]], given["embeddings"])),
    ("no_inputs", "empty", lambda pouf, given: pouf.predict([], given["pictures"])),
    ("wait_timeout", "timeout", lambda pouf, given: pouf.jobs.wait(given["job"], timeout=0)),
    ("job_not_found", "deleted while it was waited for", deleted_meanwhile),
    ("job_not_pausable", "failed", lambda pouf, given: pouf.jobs.pause(given["failed"])),
]


def test_each_wrong_use_is_told_in_one_line_with_advice(server, given):
    wrong = []
    with Client(str(server.base_url)) as pouf:
        for place, (code, said, use) in enumerate(USES):
            try:
                use(pouf, given)
                told = "nothing", ""
            except ClientError as error:
                told = str(error.code), error.message
            if told[0] != code or said not in told[1] or "\n" in told[1]:
                wrong.append((place, code, said, told))
    assert wrong == []


def test_a_wrong_key_is_told(server, make_key):
    make_key()
    with Client(str(server.base_url), "pouf_" + 56 * "0") as pouf, pytest.raises(ClientError, match="key") as wrong:
        pouf.base_models()
    assert (type(wrong.value).__name__, wrong.value.code) == ("Unauthorized", "invalid_api_key")


@pytest.mark.parametrize("call", ["base_models", "templates"])
def test_the_address_of_something_else_is_told(other_server, call):
    with Client(other_server) as pouf, pytest.raises(ClientError, match="POUF service") as wrong:
        getattr(pouf, call)()
    assert other_server in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_an_address_where_nothing_listens_is_told():
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    with Client(url, retries=0) as pouf, pytest.raises(ClientError, match="start the service") as wrong:
        pouf.base_models()
    assert (wrong.value.code, url in str(wrong.value)) == ("unreachable", True)


@pytest.mark.parametrize(
    "address", ["http://{}127.0.0.1:9", "http://{}127.0.0.1:9/v1", "ftp://{}host", "{}host", "http://{}h:x"]
)
def test_the_password_of_an_address_is_shown_to_nobody(address):
    with pytest.raises(ClientError) as wrong, Client(address.format("ann:hush@"), retries=0) as pouf:
        pouf.base_models()
    assert "hush" not in str(wrong.value) and "@" not in str(wrong.value)


def test_the_password_of_the_address_of_something_else_is_shown_to_nobody(other_server):
    with Client(other_server.replace("://", "://ann:hush@")) as pouf:
        for call in pouf.base_models, pouf.templates:
            with pytest.raises(ClientError) as wrong:
                call()
            assert other_server in str(wrong.value)


def test_a_service_that_does_not_answer_in_time_is_told():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url, retries=0, timeout=0.1) as pouf, pytest.raises(ClientError, match="timed out"):
            pouf.base_models()
