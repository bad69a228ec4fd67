import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from pouf_core.data import file_kinds
from pouf_core.data.file_kinds import archive_kind, archive_kind_by_name, unpacked_name


def zip_head(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return target.getvalue()[: file_kinds.HEAD_BYTES]


def tar_head() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return target.getvalue()[: file_kinds.HEAD_BYTES]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (zip_head("a"), "zip"),
        (zip_head(), "zip"),
        (tar_head(), "tar"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (bz2.compress(b"x"), "bzip2"),
        (lzma.compress(b"x"), "xz"),
        (b"7z\xbc\xaf\x27\x1c", "other"),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"", None),
    ],
)
def test_content_decides_whether_a_file_is_an_archive(head, kind):
    assert archive_kind(head) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.ZIP", "zip"),
        ("a.tar", "tar"),
        ("a.tar.gz", "gzip"),
        ("a.tgz", "gzip"),
        ("a.tar.bz2", "bzip2"),
        ("a.txz", "xz"),
        ("a.csv.gz", None),
    ]
    + [("a.7z", "other"), ("a.rar", "other"), ("a.tar.zst", "other"), ("a.png", None)],
)
def test_a_name_claims_a_kind_of_archive(name, kind):
    assert archive_kind_by_name(name) == kind


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv.GZ", "a.csv"),
        ("a.jsonl.xz", "a.jsonl"),
        ("a.tar.gz", "a.tar.gz"),
        ("a.tgz", "a.tgz"),
        ("a.png", "a.png"),
    ],
)
def test_the_name_of_a_packed_file_is_that_of_what_it_holds(name, expected):
    assert unpacked_name(name) == expected
