"""Zips beyond what their directories can say."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from pouf_core.data.zip_directory import TooManyEntries, open_zip
from tests.corpus.archives import zipped_raw

GAP = 2**32


def finder_zip(path: Path) -> None:
    """Three files, the second of which begins beyond 4 GiB, and the third beyond 8; the gaps take no room."""
    parts = [zipped_raw({b"%d.txt" % number: b"content %d" % number}) for number in range(3)]
    directory = b""
    with path.open("wb") as file:
        for number, part in enumerate(parts):
            start, end = part.index(b"PK\1\2"), part.index(b"PK\5\6")
            file.seek(number * (GAP + 100))
            entry = bytearray(part[start:end])
            entry[42:46] = struct.pack("<I", file.tell() % GAP)
            directory += entry
            file.write(part[:start])
        start = file.tell() % GAP
        file.write(directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 3, 3, len(directory), start, 0))


def test_a_zip_of_finder_beyond_four_gib_is_read(tmp_path: Path) -> None:
    finder_zip(tmp_path / "a.zip")
    with open_zip(tmp_path / "a.zip", 10) as archive:
        assert [archive.read(info) for info in archive.infolist()] == [b"content 0", b"content 1", b"content 2"]


def test_bytes_before_a_zip_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"#!/bin/sh\n" + zipped_raw({b"a.txt": b"content"}))
    with open_zip(path, 10) as archive:
        assert archive.read("a.txt") == b"content"


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n" * 20])
def test_entries_are_counted_before_objects_are_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(before + zipped_raw({b"%d.txt" % number: b"" for number in range(10)}))
    with open_zip(path, 10) as archive:
        assert len(archive.infolist()) == 10
    monkeypatch.delattr(zipfile, "ZipFile")
    with pytest.raises(TooManyEntries):
        open_zip(path, 9)
