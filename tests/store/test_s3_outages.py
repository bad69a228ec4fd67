"""An S3 server that is away, silent, or refuses: errors that the service knows, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from store import outages
from store.outages import StorageUnavailable
from store.storage import Storage
from tests.silent_proxy import SilentProxy

TIMEOUT = 1.0


@pytest.fixture
def proxy(s3_url: str, s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentProxy]:
    address = urlsplit(s3_address)
    with SilentProxy(address.hostname or "", address.port or 0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        yield proxy


@pytest.fixture
def storage(s3_url: str, proxy: SilentProxy, tmp_path: Path) -> Storage:
    storage = Storage(s3_url, tmp_path / "cache", TIMEOUT)
    storage.put_stream("kept/file", [b"content"])
    return storage


def calls(storage: Storage, tmp_path: Path) -> list[Callable[[], object]]:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    return [
        storage.ping,
        lambda: storage.put_file("a/file", source),
        lambda: storage.put_stream("a/stream", [b"1"]),
        lambda: storage.local("kept/file"),
        lambda: storage.exists("kept/file"),
        lambda: storage.names("kept"),
        lambda: list(storage.files("kept")),
        lambda: storage.delete("kept"),
    ]


def test_a_server_that_falls_silent_is_given_up_by_every_call(
    storage: Storage, proxy: SilentProxy, tmp_path: Path
) -> None:
    proxy.silent = True
    for call in calls(storage, tmp_path):
        started = time.monotonic()
        with pytest.raises(StorageUnavailable):
            call()
        assert time.monotonic() - started < 30 * TIMEOUT
    proxy.silent = False
    assert storage.local("kept/file").read_bytes() == b"content"


def test_a_server_that_is_away_is_an_outage(s3_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    storage = Storage(f"{s3_url}/away", tmp_path / "cache", TIMEOUT)
    for call in calls(storage, tmp_path):
        with pytest.raises(StorageUnavailable):
            call()


def test_a_bucket_that_refuses_is_an_outage_and_a_missing_file_is_none(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        storage.local("kept/nothing")
    assert not isinstance(missing.value, StorageUnavailable)


def test_a_patient_storage_waits_until_the_server_is_back(
    storage: Storage, proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "FIRST_WAIT", 0.05)
    waits = []

    def check() -> None:
        waits.append(1)
        proxy.silent = len(waits) < 2

    proxy.silent = True
    assert storage.patient(check).local("kept/file").read_bytes() == b"content"
    assert len(waits) >= 2


def test_a_fetch_asks_whether_it_is_still_wanted(storage: Storage) -> None:
    class NotWanted(Exception):
        pass

    def check() -> None:
        raise NotWanted

    with pytest.raises(NotWanted):
        storage.patient(check).local("kept/file")
    assert not (storage.cache.directory / "kept/file").exists()
