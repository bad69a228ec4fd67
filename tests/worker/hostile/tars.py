"""Tar archives, packed or not, and archives of other kinds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

from tests.worker.hostile.case import ACCEPTED, DUPLICATE, Case, good
from tests.worker.hostile.zips import CORRUPT, MIB

BESIDE_LINK = {ACCEPTED: 1, "link_member": 1}
BESIDE_SPECIAL = {ACCEPTED: 1, "special_member": 1}
BESIDE_UNSAFE = {ACCEPTED: 1, "unsafe_member_name": 1}


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w", kind: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=kind) as archive:
        for info, data in members:
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def beside_good(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[str], bytes]:
    def build(tag: str) -> bytes:
        data = good(f"{tag}hostile") if kind == tarfile.REGTYPE else b""
        hostile = member(name.format(tag), kind, target.format(tag))
        return tarred((member(f"{tag}good.png"), good(tag)), (hostile, data))

    return build


def many(tag: str, mode: str = "w") -> bytes:
    return tarred(*((member(f"{tag}{number}.png"), good(f"{tag}{number}")) for number in range(5)), mode=mode)


def header_at(data: bytes, header: int, offset: int, value: bytes) -> bytes:
    """Overwrite a field of a 512-byte header, and make its checksum right again."""
    start = 512 * header
    block = bytearray(data[start : start + 512])
    block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return data[:start] + bytes(block) + data[start + 512 :]


def with_size(value: bytes) -> Callable[[str], bytes]:
    return lambda tag: header_at(tarred((member(f"{tag}.png"), good(tag))), 0, 124, value)


def pax(**headers: str) -> Callable[[str], bytes]:
    def build(tag: str) -> bytes:
        info = member(f"{tag}.png")
        info.pax_headers = headers
        return tarred((info, good(tag)), kind=tarfile.PAX_FORMAT)

    return build


def pax_content(content: bytes) -> Callable[[str], bytes]:
    header = member("header", tarfile.XHDTYPE)
    return lambda tag: tarred((header, content), (member(f"{tag}.png"), good(tag)))


def long_header(kind: bytes) -> Callable[[str], bytes]:
    return lambda tag: tarred(
        (member(f"{tag}good.png"), good(tag)), (member("././@LongLink", kind), b"x" * (2 * MIB)), mode="w:gz"
    )


def sparse(tag: str) -> bytes:
    return tarred((member(f"{tag}good.png"), good(tag)), (member(f"{tag}.png", tarfile.GNUTYPE_SPARSE), b""))


def bomb(tag: str) -> bytes:
    zeros = ((member(f"{tag}{number}.png"), bytes(2 * MIB)) for number in range(9))
    return tarred((member(f"{tag}good.png"), good(tag)), *zeros, mode="w:gz")


def damaged_header(tag: str) -> bytes:
    data = bytearray(many(tag))
    data[1024 + 10] ^= 0xFF
    return bytes(data)


CASES = [
    Case("tar-symlink", ".tar", beside_good("{}link.png", tarfile.SYMTYPE, "/etc/passwd"), BESIDE_LINK),
    Case("tar-symlink-then-file", ".tar", beside_good("{}d", tarfile.SYMTYPE, "/tmp"), BESIDE_LINK),
    Case("tar-hardlink", ".tar", beside_good("{}hard.png", tarfile.LNKTYPE, "{}good.png"), BESIDE_LINK),
    Case("tar-hardlink-outside", ".tar", beside_good("{}hard.png", tarfile.LNKTYPE, "/etc/shadow"), BESIDE_LINK),
    Case("tar-character-device", ".tar", beside_good("{}null.png", tarfile.CHRTYPE), BESIDE_SPECIAL),
    Case("tar-block-device", ".tar", beside_good("{}disk.png", tarfile.BLKTYPE), BESIDE_SPECIAL),
    Case("tar-fifo", ".tar", beside_good("{}fifo.png", tarfile.FIFOTYPE), BESIDE_SPECIAL),
    Case("tar-absolute", ".tar", beside_good("/etc/{}.png"), BESIDE_UNSAFE),
    Case("tar-climbs", ".tar", beside_good("../../{}.png"), BESIDE_UNSAFE),
    Case("tar-climbs-at-the-end", ".tar", beside_good("{}a/../..", target=""), BESIDE_UNSAFE),
    Case("tar-latin-1", ".tar", beside_good("{}caf\udce9.png"), {ACCEPTED: 2}),
    Case("tar-bidi", ".tar", beside_good("{}\u202egnp.exe"), {ACCEPTED: 2}),
    Case("tar-long-name", ".tar", beside_good("d/" * 10_000 + "{}.png"), {ACCEPTED: 2}),
    Case(
        "tar-same-name-twice",
        ".tar",
        lambda tag: tarred((member(f"{tag}.png"), good(tag)), (member(f"{tag}.png"), good(tag))),
        {ACCEPTED: 1, DUPLICATE: 1},
    ),
    Case("tar-size-negative", ".tar", with_size(b"\xff" * 12), CORRUPT),
    Case("tar-size-enormous", ".tar", with_size(b"\x80" + b"\x7f" * 11), {"item_too_large": 1, "archive_corrupt": 1}),
    Case("tar-size-not-a-number", ".tar", with_size(b"notanumber\0"), CORRUPT),
    Case("tar-pax-size-lie", ".tar", pax(size="99999999999999999999"), {"item_too_large": 1, "archive_corrupt": 1}),
    Case("tar-pax-size-negative", ".tar", pax(size="-1024"), CORRUPT),
    Case("tar-pax-sparse-map", ".tar", pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}), CORRUPT),
    Case("tar-sparse", ".tar", sparse, {ACCEPTED: 1, "archive_corrupt": 1}),
    Case("tar-longname-of-megabytes", ".tar.gz", long_header(b"L"), {ACCEPTED: 1, "archive_corrupt": 1}),
    Case("tar-pax-of-megabytes", ".tar.gz", long_header(b"x"), {ACCEPTED: 1, "archive_corrupt": 1}),
    Case("tar-header-damaged", ".tar", damaged_header, {ACCEPTED: 1, "archive_corrupt": 1}),
    Case("tar-cut-in-header", ".tar", lambda tag: many(tag)[:1300], {ACCEPTED: 1, "archive_corrupt": 1}),
    Case("tar-cut-in-member", ".tar", lambda tag: many(tag)[:1600], {ACCEPTED: 1, "archive_corrupt": 1}),
    Case("tar-that-is-none", ".tar", lambda tag: b"nothing of the kind", CORRUPT),
    Case(
        "tar-too-many-entries",
        ".tar.gz",
        lambda tag: tarred(*((member(f".{tag}{number}"), b"") for number in range(1001)), mode="w:gz"),
        {"archive_too_many_entries": 1},
    ),
    Case(
        "tar-inside-tar",
        ".tar",
        lambda tag: tarred((member(f"{tag}in.png"), many(tag, "w:gz"))),
        {"nested_archive": 1},
    ),
    Case("gzip-bomb", ".tar.gz", bomb, {ACCEPTED: 1, "undecodable_image": 7, "archive_ratio_exceeded": 1}),
    Case("gzip-zeros", ".tar.gz", lambda tag: gzip.compress(bytes(4 * MIB), 1), {}),
    Case("gzip-of-a-picture", ".png.gz", lambda tag: gzip.compress(good(tag)), {ACCEPTED: 1}),
    Case("gzip-cut", ".tar.gz", lambda tag: many(tag, "w:gz")[:60], CORRUPT),
    Case("gzip-cut-behind-the-last-file", ".tar.gz", lambda tag: many(tag, "w:gz")[:-10], {ACCEPTED: 5}),
    Case("tar-pax-of-digits", ".tar", pax_content(b"1" * 5000), CORRUPT),
    Case("tar-pax-records-inside-each-other", ".tar", pax_content(b"2 " * 5000 + b"="), CORRUPT),
    Case("gzip-damaged", ".tar.gz", lambda tag: many(tag, "w:gz")[:50] + b"\0" * 500, CORRUPT),
    Case("gzip-then-noise", ".tar.gz", lambda tag: many(tag, "w:gz") + b"noise", {ACCEPTED: 5}),
    Case("bzip2", ".tar.bz2", lambda tag: bz2.compress(many(tag)), {ACCEPTED: 5}),
    Case("xz", ".tar.xz", lambda tag: lzma.compress(many(tag)), {ACCEPTED: 5}),
    Case("bzip2-cut", ".tar.bz2", lambda tag: bz2.compress(many(tag))[:-30], CORRUPT),
    Case("xz-damaged", ".tar.xz", lambda tag: lzma.compress(many(tag))[:50] + bytes(500), CORRUPT),
    Case("seven-zip", ".7z", lambda tag: b"7z\xbc\xaf\x27\x1c" + bytes(99), {"unsupported_archive": 1}),
    Case("rar", ".rar", lambda tag: b"Rar!\x1a\x07\x01\0" + bytes(99), {"unsupported_archive": 1}),
    Case("zstandard", ".zst", lambda tag: b"\x28\xb5\x2f\xfd" + bytes(99), {"unsupported_archive": 1}),
]
