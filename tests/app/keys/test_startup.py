"""Who may reach a service that has no API keys, and the key that it may start with."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
import uvicorn
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.auth.authentication import reached_from_elsewhere
from app.auth.key_text import new_key_text, prefix_of
from app.keys import service as keys
from app.keys.startup import UnsafeStart, prepare_keys
from app.main import create_app
from tests.app.colour_engine import ColourEngine
from tests.waiting import WAIT_SECONDS


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_addresses_need_no_key(settings, database, host):
    prepare_keys(settings.model_copy(update={"host": host}), database)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.org", "127.0.0.1.example.org"])
def test_other_addresses_need_a_key_and_the_refusal_says_how_to_make_one(settings, database, make_key, host):
    exposed = settings.model_copy(update={"host": host})
    with pytest.raises(UnsafeStart, match=r"loopback only.*pouf keys create"):
        prepare_keys(exposed, database)
    make_key()
    prepare_keys(exposed, database)


def test_without_keys_the_api_does_not_start_on_an_address_of_the_network(settings):
    application = create_app(settings.model_copy(update={"host": "0.0.0.0"}), ColourEngine)
    with pytest.raises(UnsafeStart), TestClient(application):
        pass


@pytest.mark.parametrize(
    ("server", "elsewhere"),
    [
        (("127.0.0.1", 8000), False),
        (("::1", 8000), False),
        (("/run/pouf.sock", None), False),
        (None, False),
        (("172.17.0.2", 8000), True),
        (("fe80::1%eth0", 8000), True),
    ],
)
def test_a_connection_to_an_address_of_the_network_came_from_elsewhere(server, elsewhere):
    assert reached_from_elsewhere(server) is elsewhere


def network_address() -> str:
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not address.address.startswith("127."):
                return address.address
    pytest.skip("this machine has loopback addresses only")


@contextmanager
def on_all_addresses(application) -> Iterator[int]:
    """A server that was told to listen everywhere behind the settings' back."""
    listener = socket.socket()
    listener.bind(("0.0.0.0", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def test_without_keys_a_server_on_all_addresses_answers_on_loopback_only(application, make_key):
    with on_all_addresses(application) as port:
        outside = f"http://{network_address()}:{port}"
        assert httpx.get(f"http://127.0.0.1:{port}/v1/jobs", timeout=WAIT_SECONDS).status_code == 200
        refusal = httpx.get(f"{outside}/v1/jobs", timeout=WAIT_SECONDS)
        assert (refusal.status_code, refusal.json()["code"]) == (403, "no_api_keys")
        assert "pouf keys create" in refusal.json()["detail"]
        assert httpx.get(f"{outside}/health/live", timeout=WAIT_SECONDS).status_code == 200
        key = make_key()
        assert (
            httpx.get(
                f"{outside}/v1/jobs", headers={"Authorization": f"Bearer {key}"}, timeout=WAIT_SECONDS
            ).status_code
            == 200
        )


class TestBootstrapKey:
    @pytest.fixture
    def start(self, settings, database):
        def go(key: str) -> None:
            update = {"bootstrap_key": SecretStr(key), "host": "0.0.0.0"}
            prepare_keys(settings.model_copy(update=update), database)

        return go

    @pytest.fixture
    def ask(self, api):
        return lambda key: api.get("/metrics", headers={"Authorization": f"Bearer {key}"})

    def test_the_bootstrap_key_has_every_scope_and_stays_after_restarts(self, start, ask, database):
        key = new_key_text()
        for _ in range(3):
            start(key)
        assert ask(key).status_code == 200
        (row,) = keys.list_all(database)
        assert (row.owner, row.scopes, row.prefix) == ("local", ["admin"], prefix_of(key))

    def test_a_new_bootstrap_key_replaces_the_old_one(self, start, ask, make_key, refused):
        first, second, unrelated = new_key_text(), new_key_text(), make_key()
        start(first)
        start(second)
        refused(ask(first), 401, "revoked_api_key")
        assert ask(second).status_code == ask(unrelated).status_code == 200

    def test_a_revoked_bootstrap_key_stays_revoked_after_restarts(self, start, ask, database, refused):
        key = new_key_text()
        start(key)
        keys.revoke(database, prefix_of(key))
        start(key)
        refused(ask(key), 401, "revoked_api_key")

    @pytest.mark.parametrize("text", ["", "secret", "pouf_" + "0" * 56])
    def test_a_malformed_bootstrap_key_is_refused_and_not_printed(self, start, database, text):
        with pytest.raises(UnsafeStart, match=r"POUF_BOOTSTRAP_KEY.*pouf keys generate") as raised:
            start(text)
        assert not text or text not in str(raised.value)
        assert keys.list_all(database) == []


def test_without_the_secret_of_existing_keys_the_api_does_not_start(settings, database, make_key):
    make_key()
    settings.pepper_file.unlink()
    with pytest.raises(UnsafeStart, match=str(settings.pepper_file)):
        prepare_keys(settings, database)
    assert not settings.pepper_file.exists()
