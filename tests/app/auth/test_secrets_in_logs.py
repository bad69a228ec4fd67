"""Whatever is done with a key, no log has more of it than its beginning."""

import io
import logging
import os
import signal
import subprocess
import time

import httpx
import pytest

from app.auth.key_text import new_key_text, prefix_of
from app.keys import service as keys
from cli.services import api_command
from store.settings import Settings
from tests.conftest import free_port
from tests.waiting import WAIT_SECONDS


@pytest.fixture
def log(tmp_path):
    """The log of a real server at the most talkative level, with the key it starts with and the secret of all keys."""
    bootstrap, port, path = new_key_text(), free_port(), tmp_path / "log"
    environment = {
        **os.environ,
        "POUF_DATA_DIR": str(tmp_path / "data"),
        "POUF_BOOTSTRAP_KEY": bootstrap,
        "POUF_LOG_LEVEL": "DEBUG",
        "POUF_REDIS_URL": "redis://127.0.0.1:9/0",
        "POUF_BASE_MODELS": "open_clip:/nowhere",
    }
    command = [*api_command("127.0.0.1", port), "--log-level", "trace"]
    with path.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_SECONDS) as client:
            _wait(client, server)
            yield client, bootstrap, path, tmp_path / "data"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(WAIT_SECONDS)


def _wait(client: httpx.Client, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            client.get("/health/live")
            return
        except httpx.TransportError:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_no_log_of_a_server_holds_a_key_or_the_secret(log):
    client, bootstrap, path, data = log
    never_made = new_key_text()
    spoilt = bootstrap[:-1] + ("0" if bootstrap[-1] != "0" else "1")
    statuses = []
    for key in (bootstrap, never_made, spoilt):
        headers = {"Authorization": f"Bearer {key}"}
        statuses.append(client.get("/v1/jobs", headers=headers).status_code)
        client.post("/v1/jobs", json={"no": "job"}, headers=headers)
        client.post("/v1/datasets", files={"files": ("a.png", b"a")}, headers=headers)
    assert statuses == [200, 401, 401]
    text = path.read_text()
    assert "GET /v1/jobs 401" in text
    assert "POST /v1/datasets 202" in text
    for key in (bootstrap, never_made, spoilt):
        assert key.removeprefix(prefix_of(key))[:16] not in text
    assert (data / "key-pepper").read_text() not in text


def test_printed_settings_do_not_show_the_key():
    key = new_key_text()
    settings = Settings(bootstrap_key=key)
    assert settings.bootstrap_key is not None
    assert settings.bootstrap_key.get_secret_value() == key
    assert key not in f"{settings} {settings!r} {settings.model_dump_json()}"


def test_making_and_revoking_a_key_logs_none_of_it(settings, database):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        row, key = keys.create(settings, database, keys.NewKey("alice", "test", ["read"]))
        keys.revoke(database, row.id)
        logging.getLogger("test").info("made %s", row)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "made" in stream.getvalue()
    assert key[len(prefix_of(key)) :][:16] not in stream.getvalue()
    assert row.digest not in stream.getvalue()
