"""What of pax headers is read, and what ends an archive."""

from __future__ import annotations

import tarfile

import pytest

from pouf_core.data.archives.pax_records import records_of_use


def record(keyword: bytes, value: bytes) -> bytes:
    rest = b" " + keyword + b"=" + value + b"\n"
    length = next(n for n in range(len(rest), len(rest) + 9) if len(str(n)) + len(rest) == n)
    return str(length).encode() + rest


def test_records_that_say_nothing_of_use_are_left_out() -> None:
    used = record(b"path", b"folder/a.png"), record(b"size", b"12")
    unused = record(b"mtime", b"1.5"), record(b"SCHILY.xattr.user.note", b"a=b\nc" + b"1" * 100_000)
    assert records_of_use(unused[0] + used[0] + unused[1] + used[1] + bytes(512)) == used[0] + used[1]


def test_a_keyword_of_no_letters_is_no_record_of_use() -> None:
    assert records_of_use(record(b"", b"value")) == b""


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"1" * 1000, id="digits"),
        pytest.param(b"2 " * 1000 + b"=", id="records inside each other"),
        pytest.param(b"0 path=a\n", id="no length"),
        pytest.param(b"-9 path=a\n", id="negative length"),
        pytest.param(b"99 path=a\n", id="longer than the header"),
        pytest.param(b"9 path=ab\n", id="no line break at its end"),
        pytest.param(b"7 path\n", id="no value"),
        pytest.param(record(b"path", b"a") + b"noise", id="noise"),
    ],
)
def test_what_is_no_sequence_of_records_is_refused(header: bytes) -> None:
    with pytest.raises(tarfile.ReadError, match="no sequence of records"):
        records_of_use(header + bytes(-len(header) % 512))


@pytest.mark.parametrize("keyword", [b"GNU.sparse.map", b"GNU.sparse.size", b"GNU.sparse.major"])
def test_sparse_files_are_refused(keyword: bytes) -> None:
    with pytest.raises(tarfile.ReadError, match="sparse"):
        records_of_use(record(keyword, b"1"))


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(tarfile.ReadError, match="a path of"):
        records_of_use(record(b"path", b"1" * 20_000))
