import os
import resource
import shutil
import socket
import subprocess
from contextlib import ExitStack

import httpx
import pytest

from app.http.open_files import WANTED, allow_open_files
from cli.services import services
from store.settings import Settings
from tests.conftest import free_port
from tests.waiting import WAIT_SECONDS, wait_for

FEW = 256


@pytest.fixture
def limits():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_api_may_open_as_many_files_as_it_wants_or_the_system_lets_it(limits):
    _, most = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    allow_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(WANTED, most), most)


def test_a_higher_limit_stays(limits):
    _, most = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    allow_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)


@pytest.fixture
def few_files(tmp_path, monkeypatch):
    """A real API that may open few files: its URL and its log."""
    with monkeypatch.context() as few:
        few.setattr(resource, "getrlimit", lambda _: (FEW, FEW))
        command = services(Settings(port=free_port()), gpus=[], temporary=True)[0].command
    port, log = command[command.index("--port") + 1], tmp_path / "log"
    environment = {**os.environ, "POUF_DATA_DIR": str(tmp_path / "data"), "POUF_PRELOAD": "false"}
    with log.open("wb") as output:
        server = subprocess.Popen(["prlimit", f"--nofile={FEW}:{FEW}", *command], env=environment, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_SECONDS) as client:
            wait_for(lambda: is_live(client) or server.poll() is not None, log.read_text)
            yield client, log
    finally:
        server.terminate()
        server.wait(WAIT_SECONDS)


def is_live(client):
    try:
        return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="Linux has it")
def test_connections_that_come_at_once_take_no_files_that_requests_need(few_files):
    client, log = few_files
    with ExitStack() as idle:
        for _ in range(4 * FEW):
            connection = idle.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex((client.base_url.host, client.base_url.port))
        client.close()
        wait_for(lambda: httpx.get(client.base_url.join("/health/live"), timeout=WAIT_SECONDS).status_code == 200)
    assert "out of system resource" not in log.read_text()
