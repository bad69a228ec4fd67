"""Features in memory and on disk."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pouf_core.contract.engine import EngineUsed
from pouf_core.feature_cache import cache as cache_module
from pouf_core.feature_cache import shelf, volume
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.feature_cache.matrix import StoredMatrix
from pouf_core.feature_cache.place import FeaturePlace
from pouf_core.feature_cache.volume import Digests

CPU = torch.device("cpu")
WIDTH = 6
ENGINE = EngineUsed(name="openvino", version="1", precision="float32", agreement=0.9999999)


def digests(*names: object) -> Digests:
    rows = [np.frombuffer(hashlib.sha256(str(name).encode()).digest(), np.uint8) for name in names]
    return np.stack(rows)


def features(*names: int) -> Tensor:
    return torch.stack([torch.linspace(name, name + 1, WIDTH) for name in names])


def cache_at(directory: Path, **settings: int) -> FeatureCache:
    return FeatureCache(place=FeaturePlace(directory, **settings))


def files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.features"))


def filled(directory: Path, *names: int) -> FeatureCache:
    cache = cache_at(directory)
    cache.add("encoder", "plain", digests(*names), features(*names), ENGINE)
    cache.release()
    return cache


@pytest.mark.parametrize("on_disk", [False, True])
def test_features_are_found_by_encoder_view_and_content(tmp_path: Path, on_disk: bool) -> None:
    cache = cache_at(tmp_path / "features") if on_disk else FeatureCache()
    cache.add("encoder", "plain", digests(1, 2), features(1, 2))
    cache.add("encoder", "plain", digests(3), features(3))
    assert cache.lacking("encoder", "plain", digests(3, 4, 1)).tolist() == [False, True, False]
    assert cache.lacking("encoder", "mirrored", digests(1)).all()
    assert cache.lacking("another", "plain", digests(1)).all()
    assert torch.equal(cache.get("encoder", "plain", digests(3, 1), CPU)[:], features(3, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_another_process_finds_them_to_the_last_digit(tmp_path: Path, dtype: torch.dtype) -> None:
    given = torch.rand(70, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)
    first, second = cache_at(tmp_path), cache_at(tmp_path)
    first.add("encoder", "plain", digests(*range(70)), given, ENGINE)
    first.release()
    found = second.get("encoder", "plain", digests(*reversed(range(70))), CPU)[:]
    assert torch.equal(found, given.flip(0))
    assert found.dtype == dtype
    assert second.engine("encoder", "plain") == ENGINE


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    place = FeaturePlace(tmp_path / "all" / "mine", within=tmp_path / "all")
    cache = FeatureCache(place=place)
    cache.add("encoder", "plain", digests(1), features(1))
    (file,) = files(tmp_path)
    paths = (tmp_path / "all", place.directory, file.parent, file, file.with_suffix(".index"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o700, 0o700, 0o700, 0o600, 0o600]


def test_owners_do_not_share(tmp_path: Path) -> None:
    filled(tmp_path / "one", 1)
    assert cache_at(tmp_path / "two").lacking("encoder", "plain", digests(1)).all()


def test_many_rows_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MOST_BYTES_IN_MEMORY", 100)
    monkeypatch.setattr(shelf, "VOLUME_BYTES", 1000)
    numbers = list(range(200))
    cache = cache_at(tmp_path)
    for start in range(0, 200, 20):
        part = numbers[start : start + 20]
        cache.add("encoder", "plain", digests(*part), features(*part))
    assert len(files(tmp_path)) > 1
    matrix = cache.get("encoder", "plain", digests(*numbers), CPU)
    assert isinstance(matrix, StoredMatrix)
    assert (len(matrix), tuple(matrix.shape)) == (200, (200, WIDTH))
    assert torch.equal(matrix[50:150], features(*numbers[50:150]))
    assert torch.equal(matrix[[199, 3]], features(199, 3))


@pytest.mark.parametrize("damage", ["flip", "insert", "about"])
def test_what_is_damaged_is_dropped_and_made_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path, 1, 2, 3)
    (file,) = files(tmp_path)
    content = file.read_bytes()
    if damage == "about":
        (file.parent / "about.json").write_text("{")
    elif damage == "flip":
        file.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    else:
        file.write_bytes(content[:10] + b"x" + content[10:])
    with caplog.at_level(logging.WARNING):
        cache = cache_at(tmp_path)
        assert cache.lacking("encoder", "plain", digests(1, 2, 3)).any()
    assert caplog.records
    assert not file.exists()
    assert not file.with_suffix(".index").exists()
    assert filled(tmp_path, 1, 2, 3).lacking("encoder", "plain", digests(1, 2, 3)).sum() == 0


def test_a_torn_end_is_passed_over(tmp_path: Path) -> None:
    filled(tmp_path, 1, 2)
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-5])
    assert cache_at(tmp_path).lacking("encoder", "plain", digests(1, 2)).tolist() == [False, True]
    cache = filled(tmp_path, 2)
    assert torch.equal(cache.get("encoder", "plain", digests(1, 2), CPU)[:], features(1, 2))
    assert files(tmp_path) == [file]


def test_two_processes_write_beside_each_other(tmp_path: Path) -> None:
    one, two = cache_at(tmp_path), cache_at(tmp_path)
    one.add("encoder", "plain", digests(1), features(1))
    two.add("encoder", "plain", digests(2), features(2))
    one.add("encoder", "plain", digests(3), features(3))
    for cache in (one, two):
        cache.release()
    third = cache_at(tmp_path)
    assert torch.equal(third.get("encoder", "plain", digests(1, 2, 3), CPU)[:], features(1, 2, 3))
    third.add("encoder", "plain", digests(4), features(4))
    assert len(files(tmp_path)) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.pouf_core.feature_cache.test_cache import cache_at, digests, features
cache = cache_at(Path(sys.argv[1]))
for number in range(10):
    cache.add("encoder", "plain", digests(number), features(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_written_counts(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not cache_at(tmp_path).lacking("encoder", "plain", digests(*range(10))).any()


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    for owner, used_at in (("a", 300), ("b", 100), ("c", 200)):
        FeatureCache(place=FeaturePlace(tmp_path / owner)).add("encoder", "plain", digests(1), features(1))
        os.utime(files(tmp_path / owner)[0], (used_at, used_at))
    size = sum(path.stat().st_size for path in files(tmp_path)[0].parent.glob("0*"))
    place = FeaturePlace(tmp_path / "d", max_bytes=3 * size, within=tmp_path)
    FeatureCache(place=place).add("encoder", "plain", digests(1), features(1))
    assert [path.relative_to(tmp_path).parts[0] for path in files(tmp_path)] == ["a", "c", "d"]


def test_what_is_read_counts_as_used(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    (file,) = files(tmp_path)
    os.utime(file, (100, 100))
    cache_at(tmp_path).lacking("encoder", "plain", digests(1))
    assert file.stat().st_mtime > 100


@pytest.mark.parametrize("settings", [{"max_bytes": 10}, {"least_free": 2**62}])
def test_without_room_memory_has_to_do(
    tmp_path: Path, settings: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    cache = cache_at(tmp_path, **settings)
    for number in (1, 2):
        cache.add("encoder", "plain", digests(number), features(number))
    assert torch.equal(cache.get("encoder", "plain", digests(2, 1), CPU)[:], features(2, 1))
    assert files(tmp_path) == []
    assert len(caplog.records) == 1


def test_on_a_full_disk_memory_has_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = filled(tmp_path, 1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(volume.os, "write", full)
        cache.add("encoder", "plain", digests(2), features(2))
    assert torch.equal(cache.get("encoder", "plain", digests(2, 1), CPU)[:], features(2, 1))
    assert cache_at(tmp_path).lacking("encoder", "plain", digests(1, 2)).tolist() == [False, True]


def test_nothing_is_left_of_what_a_full_disk_kept_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        filled(tmp_path, 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_place_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = filled(tmp_path / "file", 1)
    assert torch.equal(cache.get("encoder", "plain", digests(1), CPU)[:], features(1))


def test_a_file_that_is_removed_can_be_read_to_the_end(tmp_path: Path) -> None:
    filled(tmp_path, 1, 2)
    cache = cache_at(tmp_path)
    assert not cache.lacking("encoder", "plain", digests(1, 2)).any()
    for file in files(tmp_path):
        file.unlink()
    cache.add("encoder", "plain", digests(3), features(3))
    assert torch.equal(cache.get("encoder", "plain", digests(3, 2, 1), CPU)[:], features(3, 2, 1))


def test_damage_to_what_nobody_asks_for_costs_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 1, 2, 3)
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    cache = cache_at(tmp_path)
    assert torch.equal(cache.get("encoder", "plain", digests(1, 2), CPU)[:], features(1, 2))
    assert cache.lacking("encoder", "plain", digests(1, 2, 3)).all()
    cache.add("encoder", "plain", digests(1, 2, 3), features(1, 2, 3))
    assert torch.equal(cache.get("encoder", "plain", digests(3, 2, 1), CPU)[:], features(3, 2, 1))


def test_a_folder_that_another_process_is_making_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    (about,) = tmp_path.rglob("about.json")
    content = about.read_text()
    about.unlink()
    assert cache_at(tmp_path).lacking("encoder", "plain", digests(1)).all()
    about.write_text(content)
    assert not cache_at(tmp_path).lacking("encoder", "plain", digests(1)).any()
