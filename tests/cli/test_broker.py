import stat

import psutil
import pytest
import redis

from cli.broker import EmbeddedBroker, prepare_broker
from cli.processes import Child
from tests.waiting import WAIT_SECONDS, command_of, wait_for


@pytest.fixture
def start(tmp_path):
    started = []

    def start_broker(broker: EmbeddedBroker) -> Child:
        child = Child(broker.service(), tmp_path, tmp_path / "broker.log")
        child.start()
        started.append(child)
        wait_for(broker.answers, child.log.read_text)
        return child

    yield start_broker
    for child in started:
        child.kill()


def test_the_broker_keeps_messages_over_a_kill(tmp_path, start):
    broker = prepare_broker(tmp_path)
    child = start(broker)
    client = redis.Redis.from_url(broker.url)
    client.lpush("train", "wake up")
    wait_for(lambda: any(b"wake up" in path.read_bytes() for path in tmp_path.rglob("*.aof")))
    child.kill()
    again = prepare_broker(tmp_path)
    assert again == broker
    start(again)
    assert client.lrange("train", 0, -1) == [b"wake up"]


def test_the_broker_never_evicts(tmp_path, start):
    broker = prepare_broker(tmp_path)
    start(broker)
    client = redis.Redis.from_url(broker.url)
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_the_password_is_needed_and_stands_only_in_private_files(tmp_path, start):
    broker = prepare_broker(tmp_path)
    child = start(broker)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=broker.port).ping()
    assert broker.password not in " ".join(command_of(child.pid))
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and broker.password in path.read_text("latin-1")]
    assert {path.name for path in holders} == {"valkey.conf", "broker.json"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in holders)


def test_the_broker_listens_on_loopback_only(tmp_path, start):
    broker = prepare_broker(tmp_path)
    child = start(broker)
    listening = [c.laddr.ip for c in psutil.Process(child.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_a_server_that_was_left_running_is_shut_down_first(tmp_path, start):
    broker = prepare_broker(tmp_path)
    left = start(broker)
    redis.Redis.from_url(broker.url).set("kept", "yes")
    again = prepare_broker(tmp_path)
    assert again == broker
    # The server gives up its port when its log is safe, and ends a moment later.
    psutil.Process(left.pid).wait(timeout=WAIT_SECONDS)
    start(again)
    assert redis.Redis.from_url(again.url).get("kept") == b"yes"


def test_a_port_that_someone_else_took_is_changed_and_the_password_kept(tmp_path):
    import socket

    first = prepare_broker(tmp_path)
    with socket.create_server(("127.0.0.1", first.port)):
        second = prepare_broker(tmp_path)
    assert second.port != first.port
    assert second.password == first.password


def test_a_folder_with_spaces_and_quotes_works(tmp_path, start):
    folder = tmp_path / 'a "quoted" folder'
    folder.mkdir()
    broker = prepare_broker(folder)
    start(broker)
    redis.Redis.from_url(broker.url).set("a", "b")
    assert (folder / "appendonlydir").is_dir()
