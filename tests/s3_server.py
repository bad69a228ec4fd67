"""A local S3 server (moto's) in a process of its own, which can be stopped and started again with nothing in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.postgres_server import free_port
from tests.waiting import WAIT_SECONDS

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_server(port: int, host: str = "127.0.0.1", inside: Sequence[str] = ()) -> Iterator[str]:
    """Start the server; yields its address. `inside` as for `postgres_server`."""
    command = [sys.executable, "-c", f"from moto.server import main; main(['-H', '{host}', '-p', '{port}'])"]
    with subprocess.Popen([*inside, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(host, port)
            yield f"http://{host}:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    with s3_server(free_port()) as address:
        yield address


@pytest.fixture
def s3_url(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket of its own, with credentials and address in the environment, as an operator gives them."""
    import s3fs

    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3_address}.items():
        monkeypatch.setenv(name, value)
    bucket = f"test-{os.urandom(8).hex()}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/pouf"


def _wait_for_port(host: str, port: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the S3 server did not start"
            time.sleep(0.1)
