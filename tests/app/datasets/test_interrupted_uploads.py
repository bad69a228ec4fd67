"""Clients that stall or leave in the middle of an upload, over a real server and a raw socket."""

import socket
import time

import pytest

from app.main import create_app
from tests.app.colour_engine import ColourEngine
from tests.waiting import WAIT_SECONDS, wait_for

STALL_SECONDS = 1.0
FIRST = b'--b\r\nContent-Disposition: form-data; name="files"; filename="first.png"\r\n\r\nfirst\r\n'
HALF = b'--b\r\nContent-Disposition: form-data; name="files"; filename="second.png"\r\n\r\nhalf of the sec'


@pytest.fixture
def application(settings):
    return create_app(settings.model_copy(update={"stall_seconds": STALL_SECONDS}), ColourEngine)


@pytest.fixture
def send(server):
    """Opens a connection and sends the head of a request and the beginning of its body."""
    opened = []

    def begin(path, body, method="POST", length=1_000_000):
        connection = socket.create_connection((server.base_url.host, server.base_url.port), timeout=WAIT_SECONDS)
        opened.append(connection)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode() + body)
        return connection

    yield begin
    for connection in opened:
        connection.close()


@pytest.fixture
def dataset_id(server):
    return server.post("/v1/datasets", data={"finalize": "false"}).json()["id"]


def answer(connection):
    """Everything until the server closes the connection."""
    received = b""
    while block := connection.recv(65_536):
        received += block
    return received


def files_of(server, dataset_id):
    return [file["filename"] for file in server.get(f"/v1/datasets/{dataset_id}/files").json()["data"]]


def staged(settings):
    root = settings.data_dir / "staging"
    return list(root.iterdir()) if root.exists() else []


def test_a_client_that_stalls_is_cut_off_and_leaves_nothing(server, send, settings):
    text = answer(send("/v1/datasets", FIRST + HALF))
    assert text.startswith(b"HTTP/1.1 408 ")
    assert b'"client_stalled"' in text
    assert server.get("/v1/datasets").json()["data"] == []
    assert not staged(settings)
    assert not [path for path in (settings.data_dir / "storage").rglob("*") if path.is_file()]


def test_a_client_below_the_minimum_data_rate_is_cut_off(send):
    connection = send("/v1/datasets", FIRST)
    started = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - started < 60:
            connection.sendall(b"x")
            time.sleep(0.1)
    assert time.monotonic() - started < 60


def test_an_archive_that_stalls_leaves_nothing(server, send, dataset_id, settings):
    text = answer(send(f"/v1/datasets/{dataset_id}/archive", b"PK\x03\x04" + bytes(5000), method="PUT"))
    assert text.startswith(b"HTTP/1.1 408 ")
    assert files_of(server, dataset_id) == []
    assert not staged(settings)


@pytest.mark.parametrize("leaves", [True, False])
def test_whole_files_before_an_interrupted_one_stay(server, send, dataset_id, settings, leaves):
    connection = send(f"/v1/datasets/{dataset_id}/files", FIRST + HALF)
    if leaves:
        # the server forgets what nobody has read yet when its client is gone
        wait_for(lambda: staged(settings))
        time.sleep(STALL_SECONDS / 2)
        connection.close()
    else:
        assert answer(connection).startswith(b"HTTP/1.1 408 ")
    wait_for(lambda: files_of(server, dataset_id) == ["first.png"])
    wait_for(lambda: not staged(settings))
    whole = FIRST + HALF + b"ond\r\n--b--\r\n"
    again = send(f"/v1/datasets/{dataset_id}/files", whole, length=len(whole))
    assert again.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert files_of(server, dataset_id) == ["first.png", "second.png"]


def test_a_client_that_was_cut_off_in_a_finalized_form_creates_no_dataset(server, send):
    send("/v1/datasets", FIRST + HALF).close()
    time.sleep(0.5)
    assert server.get("/v1/datasets").json()["data"] == []
