"""Samples of uploads: how much is read, and that what is read is what ingestion reads."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.sample import Sample, SampledFile, SampleLimits, SampleRequest
from pouf_core.data.limited_process import ReaderUnavailable
from pouf_core.data.uploads import sample as module
from pouf_core.data.uploads.keeper import FolderUse
from pouf_core.data.uploads.sample import read_sample
from pouf_core.data.uploads.sampling import take_sample
from tests.corpus.archives import pictures

LIMITS = SampleLimits(
    items=10**5,
    rows=4 * 10**5,
    item_bytes=10**7,
    archive_entries=10**4,
    archive_ratio=100.0,
    pixels=10**7,
    memory_bytes=2**29,
    cpu_seconds=20.0,
    seconds=30.0,
)


def sampled(folder: Path, files: dict[str, bytes], modality: RequestedModality = "auto") -> Sample:
    found = []
    for number, (name, data) in enumerate(files.items()):
        path = folder / str(number)
        path.write_bytes(data)
        found.append(SampledFile(filename=name, path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest()))
    scratch = folder / "scratch"
    scratch.mkdir()
    answer = read_sample(SampleRequest(files=found, modality=modality, scratch=scratch, limits=LIMITS))
    assert list(scratch.iterdir()) == []
    return answer


def lines(count: int) -> bytes:
    return "".join(f"a line of text, number {number}\n" for number in range(count)).encode()


def test_of_each_file_the_beginning_is_read(tmp_path: Path) -> None:
    found = sampled(tmp_path, {"a.txt": lines(5000), "b.txt": b"the other file\n"})
    assert (found.complete, found.item_count, len(found.items)) == (False, 201, 20)
    assert [reading.rows for reading in found.readings] == [200, 1]


def test_of_many_files_the_first_are_read(tmp_path: Path) -> None:
    files = {f"{number}.txt": f"{number} ".encode().join([b"text "] * 3) for number in range(600)}
    found = sampled(tmp_path, files)
    assert (found.complete, found.item_count) == (False, module.MOST_ENTRIES)


@pytest.mark.parametrize("count", [199, 200])
def test_what_was_read_to_its_end_is_complete(tmp_path: Path, count: int) -> None:
    found = sampled(tmp_path, {"a.txt": lines(count)})
    assert (found.item_count, found.rejected_count) == (count, 0)
    assert found.complete == (count < module.MOST_OF_AN_UPLOAD)


@pytest.mark.parametrize(
    ("table", "kind", "suggested"),
    [
        (b"file,label\nx.png,old\ny.png,new\n", "folders", ["cat", "dog"]),
        (b"file,label\n4.png,young\n", "file", ["young"]),
    ],
)
def test_labels_of_a_sample_are_those_of_all_pictures_by_their_names(
    table: bytes, kind: str, suggested: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_AN_UPLOAD", 2)
    paths = [f"{'cat' if number < 3 else 'dog'}/{number}.png" for number in range(5)]

    found = sampled(tmp_path, zipped({"labels.csv": table} | pictures(*paths)))

    assert (found.complete, found.item_count) == (False, 2)
    assert (found.label_source.kind, found.suggested_class_names) == (kind, suggested)


def test_reading_ends_when_its_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMITS, "seconds", -1.0)
    found = sampled(tmp_path, {"a.txt": lines(3)})
    assert (found.complete, found.item_count, found.failure) == (False, 0, None)


def test_a_machine_that_lacks_something_is_no_fault_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(lines(3))
    files = [SampledFile(filename="a.txt", path=path, size=path.stat().st_size, sha256="0" * 64)]
    with pytest.raises(ReaderUnavailable):
        take_sample(SampleRequest(files=files, modality="text", scratch=tmp_path / "gone", limits=LIMITS))


def test_a_sample_that_takes_too_long_by_the_clock_is_no_fault_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pouf_core.data.uploads.sampling.MORE_SECONDS", 0.001 - LIMITS.seconds)
    with pytest.raises(ReaderUnavailable):
        take_sample(SampleRequest(files=[], modality="text", scratch=tmp_path, limits=LIMITS))


def test_what_is_unusable_as_far_as_was_read_is_no_failure_yet(tmp_path: Path) -> None:
    found = sampled(tmp_path, {"a.jsonl": b"{\n" * 300 + b'"a text"\n'})
    assert (found.complete, found.rejected_count, found.failure) == (False, module.MOST_OF_AN_UPLOAD, None)


def test_members_of_an_archive_count_alike(tmp_path: Path) -> None:
    members = {f"{number}.txt": f"text number {number}".encode() for number in range(300)}
    found = sampled(tmp_path, tarred(members), "text")
    assert (found.complete, found.item_count) == (False, module.MOST_OF_AN_UPLOAD)


def test_vectors_are_sampled_too(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.random.default_rng(0).standard_normal((5000, 8), dtype=np.float32))
    found = sampled(tmp_path, {"a.npy": stream.getvalue()})
    assert (found.modality, found.embedding_width, found.item_count) == ("embedding", 8, module.MOST_OF_AN_UPLOAD)


def test_labels_of_pictures_beyond_the_sample_are_no_reason_to_warn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 20)
    pictures = {f"{number}.ppm": b"P6 1 1 255 " + bytes([number % 256, number // 256, 0]) for number in range(30)}
    table = "".join(f"{name},{'cat' if number % 3 else 'dog'}\n" for number, name in enumerate(pictures))
    found = sampled(tmp_path, {"labels.csv": f"file,label\n{table}".encode(), **pictures})
    assert (found.complete, found.item_count, found.labelled_count) == (False, 20, 20)
    assert (found.suggested_class_names, found.warnings) == (["cat", "dog"], [])


def numbered_pictures(count: int) -> dict[str, bytes]:
    return {f"a{number % 2}/{number}.ppm": b"P6 1 1 255 " + bytes([number, 0, 0]) for number in range(count)}


def zipped(files: dict[str, bytes]) -> dict[str, bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return {"a.zip": stream.getvalue()}


def tarred(files: dict[str, bytes]) -> dict[str, bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return {"a.tar.gz": stream.getvalue()}


@pytest.mark.parametrize("packed", [zipped, tarred, dict])
def test_a_file_of_labels_counts_though_it_comes_last_and_names_pictures_beyond_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 20)
    monkeypatch.setattr(module, "MOST_OF_AN_UPLOAD", 20)
    pictures = numbered_pictures(30)
    table = b"file,label\n" + b"".join(f"{name},cat\n".encode() for name in list(pictures)[25:])
    files = {**pictures, "labels.csv": table}
    found = sampled(tmp_path, packed(files), "image")
    assert (found.complete, found.item_count, found.labelled_count) == (False, 20, 0)
    assert (found.label_source.kind, found.suggested_class_names) == ("file", ["cat"])


def test_a_file_of_labels_that_names_no_picture_of_all_gives_way_to_folders(tmp_path: Path) -> None:
    found = sampled(tmp_path, zipped({**numbered_pictures(4), "labels.csv": b"file,label\nx.png,cat\n"}), "image")
    assert (found.complete, found.label_source.kind, found.suggested_class_names) == (True, "folders", ["a0", "a1"])


@pytest.mark.parametrize(("name", "items"), [("a.txt.gz", module.MOST_OF_AN_UPLOAD), ("a.npy.gz", 0)])
def test_of_what_is_packed_no_more_is_unpacked_than_a_sample_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, items: int
) -> None:
    most = 2 * 1024**2
    monkeypatch.setattr(module, "UNPACKED_BYTES_OF_LINES", most)
    monkeypatch.setattr(module, "UNPACKED_BYTES", most)
    sizes = []
    monkeypatch.setattr(module.SampleKeeper, "folder", written_to(sizes, module.SampleKeeper.folder))
    found = sampled(tmp_path, {name: gzip.compress(lines(100_000), 1)})
    assert (found.complete, found.item_count, found.rejected_count, found.failure) == (False, items, 0, None)
    assert 0 < max(sizes) <= most


def written_to(sizes: list[int], folder: Any) -> Any:
    """`SampleKeeper.folder`, which notes the sizes of the files that were written to it."""

    @contextmanager
    def noting(self: module.SampleKeeper, use: FolderUse) -> Iterator[Path]:
        with folder(self, use) as path:
            try:
                yield path
            finally:
                sizes.extend(each.stat().st_size for each in path.iterdir() if each.is_file())

    return noting
