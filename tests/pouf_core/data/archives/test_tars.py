"""Tars whose headers are made to take time or memory."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import ArchiveError, Found
from pouf_core.data.archives.reading import read_archive

LIMITS = ArchiveLimits(item_bytes=1024**2, archive_entries=1000, archive_ratio=200)


def entry(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def names_in(path: Path, *entries: bytes) -> list[str]:
    path.write_bytes(b"".join(entries) + bytes(1024))
    members = read_archive(path, "tar", LIMITS)
    return [member.name.text for member in members if isinstance(member, Found)]


FILE = entry("a.txt", b"hello")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE])
def test_a_header_that_is_no_sequence_of_records_ends_the_archive(tmp_path: Path, kind: bytes) -> None:
    for header in (b"1" * 5000, b"2 " * 1000 + b"="):
        with pytest.raises(ArchiveError, match="no sequence of records"):
            names_in(tmp_path / "a.tar", entry("header", header, kind), FILE)


def test_a_name_in_a_header_is_the_name_of_the_file_behind_it_alone(tmp_path: Path) -> None:
    header = entry("header", "13 mtime=1.5\n22 path=folder/ä.txt\n".encode(), tarfile.XHDTYPE)
    assert names_in(tmp_path / "a.tar", header, FILE, FILE) == ["folder/ä.txt", "a.txt"]


def test_headers_about_headers_without_end_end_the_archive(tmp_path: Path) -> None:
    header = entry("header", b"13 mtime=1.5\n", tarfile.XHDTYPE)
    with pytest.raises(ArchiveError) as raised:
        names_in(tmp_path / "a.tar", header * 2000, FILE)
    assert raised.value.code == "archive_corrupt"
