"""Packed files of streams that hold nothing, and of long headers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from pouf_core.data.archives.packings import head_of_packed, unpacked
from pouf_core.data.file_kinds import ArchiveKind

PACKINGS: dict[ArchiveKind, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
NAMED, COMMENTED = 8, 16  # flags of gzip


class Ended(Exception):
    pass


@pytest.mark.parametrize("kind", PACKINGS)
def test_streams_that_hold_nothing_are_passed_over(kind: ArchiveKind) -> None:
    pack = PACKINGS[kind]
    content = pack(b"first") + pack(b"") * 5000 + bytes(1024) + pack(b"last")
    stream = unpacked(io.BytesIO(content), kind)
    assert b"".join(iter(lambda: stream.read(1000), b"")) == b"firstlast"


@pytest.mark.parametrize("kind", PACKINGS)
def test_reading_can_be_ended_among_streams_that_hold_nothing(kind: ArchiveKind) -> None:
    empty, calls = PACKINGS[kind](b""), []

    def check() -> None:
        calls.append(None)
        if len(calls) > 3:
            raise Ended

    stream = unpacked(io.BytesIO(empty * (200_000 // len(empty))), kind, check)
    with pytest.raises(Ended):
        stream.read(1000)


@pytest.mark.parametrize("flag", [NAMED, COMMENTED])
def test_reading_can_be_ended_within_a_header_of_gzip(flag: int) -> None:
    def check() -> None:
        calls.append(None)
        if len(calls) > 3:
            raise Ended

    calls: list[None] = []
    header = b"\x1f\x8b\x08" + bytes([flag]) + bytes(6)
    with pytest.raises(Ended):
        unpacked(io.BytesIO(header + b"a" * 200_000), "gzip", check).read(1000)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_gzip_is_unpacked_in_blocks_of_any_size(size: int) -> None:
    content = b"".join(b"%d," % number for number in range(5000))
    stream = unpacked(io.BytesIO(gzip.compress(content) + gzip.compress(content)), "gzip")
    assert b"".join(iter(lambda: stream.read(size), b"")) == content * 2


@pytest.mark.parametrize("kind", PACKINGS)
def test_the_beginning_is_looked_for_at_the_beginning(tmp_path: Path, kind: ArchiveKind) -> None:
    pack, path = PACKINGS[kind], tmp_path / "packed"
    path.write_bytes(pack(b"content"))
    assert head_of_packed(path, kind, 4) == b"cont"
    path.write_bytes(pack(b"") * (3 * 1024**2 // len(pack(b""))) + pack(b"content"))
    assert head_of_packed(path, kind, 4) == b""
