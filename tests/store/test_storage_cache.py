"""Copies of stored files: a budget, what was used last stays, and nothing that is read goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from store.storage import Storage
from store.storage_cache import StorageCache

SIZE = 1000


@pytest.fixture
def cache(tmp_path: Path) -> StorageCache:
    return StorageCache(tmp_path / "cache", 2 * SIZE)


@pytest.fixture
def fetch(cache: StorageCache) -> Callable[..., Path]:
    """Get a copy of `SIZE` bytes that was last used some seconds ago."""

    def fetch(key: str, ago: float = 0.0) -> Path:
        path = cache.path(key, lambda target: Path(target).write_bytes(bytes(SIZE)))
        lock = cache.directory.joinpath(".locks", *Path(key).parts[:2])
        os.utime(lock, (time.time() - ago,) * 2)
        return path

    return fetch


def test_what_was_used_longest_ago_goes_first_until_the_rest_fits(
    cache: StorageCache, fetch: Callable[..., Path]
) -> None:
    old, older, new = fetch("datasets/a/1", 2000), fetch("datasets/b/1", 3000), fetch("models/m", 1000)
    assert cache.trim() == SIZE
    assert (old.exists(), older.exists(), new.exists()) == (True, False, True)
    fetch("datasets/a/1")  # using it again
    fetch("datasets/c/1")
    assert cache.trim() == SIZE
    assert (old.exists(), new.exists()) == (True, False)


def test_what_belongs_together_goes_together(cache: StorageCache, fetch: Callable[..., Path]) -> None:
    parts = [fetch(f"datasets/a/{number}", 2000) for number in range(3)]
    fetch("datasets/b/1")
    cache.trim()
    assert not any(part.exists() for part in parts)
    assert fetch("datasets/a/0").exists()


def test_what_was_used_a_moment_ago_stays_even_above_the_budget(
    cache: StorageCache, fetch: Callable[..., Path]
) -> None:
    paths = [fetch(f"datasets/{number}/1") for number in range(4)]
    assert cache.trim() == 0
    assert all(path.exists() for path in paths)


def test_what_another_process_reads_stays(cache: StorageCache, fetch: Callable[..., Path], tmp_path: Path) -> None:
    held, free = fetch("datasets/held/1", 5000), fetch("datasets/free/1", 4000)
    hold = (
        "import sys, pathlib; from store.storage_cache import StorageCache\n"
        "with StorageCache(pathlib.Path(sys.argv[1])).in_use('datasets/held'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(cache.directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "held\n"
        cache.trim(budget=0, recent=0)
        assert (held.exists(), free.exists()) == (True, False)
        reader.kill()
    cache.trim(budget=0, recent=0)
    assert not held.exists()


def test_a_fetch_that_fails_leaves_nothing(cache: StorageCache) -> None:
    def fail(target: str) -> None:
        Path(target).write_bytes(b"half")
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        cache.path("datasets/a/1", fail)
    assert list((cache.directory / "datasets/a").iterdir()) == []


def test_a_remote_storage_keeps_its_copies_within_the_budget(tmp_path: Path) -> None:
    storage = Storage(f"memory://{tmp_path}", tmp_path / "cache", cache_bytes=2 * SIZE)
    for number in range(4):
        storage.put_stream(f"models/{number}/file", [bytes(SIZE)])
        storage.local_directory(f"models/{number}")
    storage.cache.trim(recent=0)
    kept = sum(file.stat().st_size for file in (tmp_path / "cache/models").rglob("file"))
    assert kept <= 2 * SIZE
    with storage.in_use("models/0"):
        assert storage.local("models/0/file").stat().st_size == SIZE
