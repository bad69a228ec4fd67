"""Zip archives with unsafe names or false headers, that are cut off, or that unpack to far more."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

from tests.worker.hostile.case import ACCEPTED, DUPLICATE, Case, good

MIB = 1024**2
CORRUPT = {"archive_corrupt": 1}
DIRECTORY_MARK, END_MARK = b"PK\x01\x02", b"PK\x05\x06"


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names given twice
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def beside_good(name: str, mode: int = 0) -> Callable[[str], bytes]:
    """A harmless member, and one of a hostile name (`{}` is the tag) or file mode."""

    def build(tag: str) -> bytes:
        info = zipfile.ZipInfo("placeholder.png")
        info.filename = name.format(tag)
        info.external_attr = mode << 16
        return zipped((f"{tag}good.png", good(tag)), (info, good(f"{tag}hostile")))

    return build


def renamed(tag: str, raw: bytes, *, utf8: bool = False) -> bytes:
    """One member whose name is these bytes, in both of its headers."""
    stand_in = "N" * len(raw)
    data = zipped((stand_in, good(tag)), compression=zipfile.ZIP_STORED).replace(stand_in.encode(), raw)
    return patched(data, {8: b"\0\x08"}, local={6: b"\0\x08"}) if utf8 else data


def patched(data: bytes, directory: dict[int, bytes], local: dict[int, bytes] | None = None) -> bytes:
    """Overwrite fields of the first entry: offset in its header to the bytes there."""
    changed = bytearray(data)
    for start, fields in ((data.index(DIRECTORY_MARK), directory), (0, local or {})):
        for offset, value in fields.items():
            changed[start + offset : start + offset + len(value)] = value
    return bytes(changed)


def one(tag: str, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    return zipped((f"{tag}one.png", good(tag)), compression=compression)


def cut(share: float) -> Callable[[str], bytes]:
    def build(tag: str) -> bytes:
        data = zipped(*((f"{tag}{number}.png", good(f"{tag}{number}")) for number in range(5)))
        return data[: int(len(data) * share)]

    return build


def overlapping(tag: str) -> bytes:
    """Ten directory entries over the same bytes."""
    data = zipped((f"{tag}same.png", bytes(MIB)))
    start, end = data.index(DIRECTORY_MARK), data.index(END_MARK)
    entry = data[start:end]
    tail = bytearray(data[end:])
    tail[8:12] = struct.pack("<HH", 10, 10)
    tail[12:16] = struct.pack("<I", 10 * len(entry))
    return data[:start] + entry * 10 + bytes(tail)


def nested(tag: str, depth: int) -> bytes:
    data = good(tag)
    for level in range(depth):
        data = zipped((f"{tag}level{level}.zip", data))
    return data


def directory_size(data: bytes, size: int) -> bytes:
    changed = bytearray(data)
    end = data.rindex(END_MARK)
    changed[end + 12 : end + 16] = struct.pack("<I", size)
    return bytes(changed)


def swollen(tag: str) -> bytes:
    return zipped((f"{tag}good.png", good(tag)), *((f"{tag}{number}.png", bytes(2 * MIB)) for number in range(9)))


def zip64_lie(tag: str) -> bytes:
    extra = struct.pack("<HHQQQ", 1, 24, 2**63, 2**63, 2**64 - 1)
    info = zipfile.ZipInfo(f"{tag}one.png")
    info.extra = extra
    data = zipped((info, good(tag)))
    return patched(data, {20: b"\xff" * 8, 42: b"\xff" * 4})


NAMES = [
    Case("zip-absolute", ".zip", beside_good("/etc/{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-climbs", ".zip", beside_good("../../{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-climbs-inside", ".zip", beside_good("a/../../{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-backslashes", ".zip", beside_good("..\\..\\{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-drive", ".zip", beside_good("C:\\{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-drive-relative", ".zip", beside_good("c:{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-share", ".zip", beside_good("\\\\host\\share\\{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-hidden-climb", ".zip", beside_good("../.{}.png"), {ACCEPTED: 1, "unsafe_member_name": 1}),
    Case("zip-bidi", ".zip", beside_good("{}\u202egnp.exe"), {ACCEPTED: 2}),
    Case("zip-escape-codes", ".zip", beside_good("{}\x1b[2J\r\n.png"), {ACCEPTED: 2}),
    Case("zip-long-name", ".zip", beside_good("d/" * 20_000 + "{}.png"), {ACCEPTED: 2}),
    Case("zip-nul", ".zip", lambda tag: renamed(tag, f"{tag}.png\0.exe".encode()), {ACCEPTED: 1}),
    Case("zip-cp437", ".zip", lambda tag: renamed(tag, tag.encode() + b"\x81\x94.png"), {ACCEPTED: 1}),
    Case("zip-not-utf8", ".zip", lambda tag: renamed(tag, tag.encode() + b"\xff.png", utf8=True), CORRUPT),
    Case(
        "zip-same-name-twice",
        ".zip",
        lambda tag: zipped((f"{tag}.png", good(tag)), (f"{tag}.png", good(f"{tag}2")), (f"{tag}3.png", good(tag))),
        {ACCEPTED: 2, DUPLICATE: 1},
    ),
]
MODES = [
    Case("zip-symlink", ".zip", beside_good("{}link.png", 0o120777), {ACCEPTED: 1, "link_member": 1}),
    Case("zip-device", ".zip", beside_good("{}device.png", 0o020666), {ACCEPTED: 1, "special_member": 1}),
    Case("zip-fifo", ".zip", beside_good("{}fifo.png", 0o010666), {ACCEPTED: 1, "special_member": 1}),
]
BOMBS = [
    Case("zip-bomb", ".zip", swollen, {ACCEPTED: 1, "undecodable_image": 7, "archive_ratio_exceeded": 1}),
    Case(
        "zip-large-member",
        ".zip",
        lambda tag: zipped((f"{tag}.png", bytes(3 * MIB)), (f"{tag}good.png", good(tag))),
        {ACCEPTED: 1, "item_too_large": 1},
    ),
    Case(
        "zip-large-member-that-lies",
        ".zip",
        lambda tag: patched(zipped((f"{tag}.png", bytes(3 * MIB))), {24: struct.pack("<I", 10)}),
        {"member_corrupt": 1},
    ),
    Case("zip-overlapping", ".zip", overlapping, CORRUPT),
    Case("zip-nested", ".zip", lambda tag: nested(tag, 50), {"nested_archive": 1}),
    Case("zip-in-disguise", ".zip", lambda tag: zipped((f"{tag}.png", one(tag))), {"nested_archive": 1}),
    Case(
        "zip-too-many-entries",
        ".zip",
        lambda tag: zipped(*((f"{tag}{number}", b"") for number in range(1001))),
        {"archive_too_many_entries": 1},
    ),
]
LIES = [
    Case("zip-wrong-crc", ".zip", lambda tag: patched(one(tag), {16: b"\0\1\2\3"}), {"member_corrupt": 1}),
    Case("zip-size-too-small", ".zip", lambda tag: patched(one(tag), {24: b"\x0a\0\0\0"}), {"member_corrupt": 1}),
    Case("zip-size-too-large", ".zip", lambda tag: patched(one(tag), {24: b"\0\0\x0f\0"}), {ACCEPTED: 1}),
    Case("zip-packed-size-lie", ".zip", lambda tag: patched(one(tag), {20: b"\xf0\xff\xff\x7f"}), CORRUPT),
    Case("zip-offset-lie", ".zip", lambda tag: patched(one(tag), {42: b"\xf0\xff\xff\x7f"}), {"member_corrupt": 1}),
    Case("zip-zip64-lie", ".zip", zip64_lie, CORRUPT),
    Case("zip-encrypted", ".zip", lambda tag: patched(one(tag), {8: b"\1\0"}), {"encrypted_member": 1}),
    Case("zip-strongly-encrypted", ".zip", lambda tag: patched(one(tag), {8: b"\x41\0"}), {"encrypted_member": 1}),
    Case("zip-bzip2", ".zip", lambda tag: one(tag, zipfile.ZIP_BZIP2), {"unsupported_compression": 1}),
    Case("zip-lzma", ".zip", lambda tag: one(tag, zipfile.ZIP_LZMA), {"unsupported_compression": 1}),
    Case("zip-unknown-method", ".zip", lambda tag: patched(one(tag), {10: b"\x63\0"}), {"unsupported_compression": 1}),
    Case("zip-future-version", ".zip", lambda tag: patched(one(tag), {6: b"\xff\0"}), CORRUPT),
    Case(
        "zip-directory-too-long", ".zip", lambda tag: directory_size(one(tag), 2**31), {"archive_too_many_entries": 1}
    ),
    Case("zip-directory-too-short", ".zip", lambda tag: directory_size(one(tag), 20), CORRUPT),
]
DAMAGE = [
    Case("zip-mark-alone", ".zip", lambda tag: b"PK\3\4", CORRUPT),
    Case("zip-empty", ".zip", lambda tag: zipped(), {}),
    Case("zip-cut-early", ".zip", cut(0.1), CORRUPT),
    Case("zip-cut-in-half", ".zip", cut(0.5), CORRUPT),
    Case("zip-cut-late", ".zip", cut(0.97), CORRUPT),
    Case("zip-that-is-none", ".zip", lambda tag: b"nothing of the kind", CORRUPT),
    Case("zip-after-a-program", ".zip", lambda tag: b"MZ" + bytes(500) + one(tag), {ACCEPTED: 1}),
]
CASES = NAMES + MODES + BOMBS + LIES + DAMAGE
