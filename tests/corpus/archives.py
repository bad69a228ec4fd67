"""Archives and folders as Finder, Windows, phones, cameras and NAS boxes make them, and what each holds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from PIL import Image

Members = Mapping[str, bytes]

RED, BLUE, GREEN = "red", "blue", "green"
JUNK = b"no picture"
TAKEOUT = b'{"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}}'


@dataclass(frozen=True)
class Archive:
    """A file to upload, and what comes out of it.

    Attributes:
        name: what kind of file it is.
        file_name: what it is called.
        content: its bytes.
        items: the names of its pictures that are used.
        labels: of these, where folders or a table say one.
        rejected: names of what is refused, with the codes.
        skipped: how many files are passed over, by reason.
        duplicates: how many pictures are there again.
    """

    name: str
    file_name: str
    content: bytes
    items: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0


def picture(colour: str, kind: str = "PNG") -> bytes:
    """A small picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(stream, kind)
    return stream.getvalue()


def pictures(*names: str) -> dict[str, bytes]:
    """A picture of another colour for each name."""
    return {name: picture(f"hsl({40 * number}, 90%, 50%)") for number, name in enumerate(names)}


def zipped(members: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def zipped_raw(
    members: Mapping[bytes, bytes], extra: Callable[[bytes], bytes] = lambda raw: b"", count: int | None = None
) -> bytes:
    """A zip whose names are these bytes, without a mark of their encoding; `count` is what it says of its entries."""
    files, directory = bytearray(), bytearray()
    for raw, data in members.items():
        fields = (20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(raw), len(extra(raw)))
        directory += (
            struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, *fields, 0, 0, 0, 0, len(files)) + raw + extra(raw)
        )
        files += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", *fields) + raw + extra(raw) + data
    count = len(members) if count is None else count
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(files), 0)
    return bytes(files + directory) + end


def unicode_path(raw: bytes) -> bytes:
    """The field by which Info-ZIP says a name in Unicode."""
    body = struct.pack("<BI", 1, zlib.crc32(raw)) + "größe.png".encode()
    return struct.pack("<HH", 0x7075, len(body)) + body


def encrypted(members: Members) -> bytes:
    """A zip whose members say that they are encrypted."""
    data = bytearray(zipped(members, zipfile.ZIP_STORED))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


def tarred(members: Members, mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def raw_names(names: Iterable[str], encoding: str) -> dict[bytes, bytes]:
    names = list(names)
    return {name.encode(encoding): data for name, data in pictures(*names).items()}


TWO = ("cat/a.png", "dog/b.png")
OF_TWO = {"items": TWO, "labels": {"cat/a.png": "cat", "dog/b.png": "dog"}}
GERMAN = ("Prüfung/Äpfel.png", "Prüfung/Öl.png", "Größe/groß.png")
JAPANESE = ("写真/猫の写真.png", "写真/犬の散歩.png", "テスト/花火.png")
CHINESE = ("照片/小猫照片.png", "照片/小狗照片.png", "测试/花朵.png")
RUSSIAN = ("Фото/кошка.png", "Фото/собака.png", "Проба/дерево.png")
KOREAN = ("사진/고양이.png", "사진/강아지.png", "시험/나무.png")


def _labelled(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name.split("/")[0] for name in names}


def _named(name: str, names: tuple[str, ...], encoding: str) -> Archive:
    return Archive(name, "photos.zip", zipped_raw(raw_names(names, encoding)), names, _labelled(names))


def _names() -> list[Archive]:
    windows = {name.replace("/", "\\"): data for name, data in pictures(*TWO).items()}
    return [
        _named("zip, names in UTF-8 without a mark", GERMAN, "utf-8"),
        _named("zip of German Windows, CP437", GERMAN, "cp437"),
        _named("zip of western Windows, Windows-1252", GERMAN, "cp1252"),
        _named("zip of Japanese Windows, Shift-JIS", JAPANESE, "shift_jis"),
        _named("zip of Chinese Windows, GBK", CHINESE, "gbk"),
        _named("zip of Russian Windows, CP866", RUSSIAN, "cp866"),
        _named("zip of Korean Windows, CP949", KOREAN, "cp949"),
        Archive("zip, names marked as UTF-8", "a.zip", zipped(pictures(*GERMAN)), GERMAN, _labelled(GERMAN)),
        Archive(
            "zip with a Unicode name beside its own",
            "a.zip",
            zipped_raw({b"gr\xf6?e.png": picture(RED)}, unicode_path),
            ("größe.png",),
        ),
        Archive(
            "zip with separators of Windows",
            "a.zip",
            zipped_raw({name.encode(): data for name, data in windows.items()}),
            tuple(windows),
            {"cat\\a.png": "cat", "dog\\b.png": "dog"},
        ),
        Archive("tar, names in UTF-8", "a.tar", tarred(pictures(*GERMAN)), GERMAN, _labelled(GERMAN)),
        Archive(
            "zip with a folder around all",
            "a.zip",
            zipped(pictures("all/cat/a.png", "all/dog/b.png")),
            ("all/cat/a.png", "all/dog/b.png"),
            {"all/cat/a.png": "cat", "all/dog/b.png": "dog"},
        ),
    ]


def _packings() -> list[Archive]:
    two = pictures(*TWO)
    raw = {name.encode(): data for name, data in two.items()}
    same: list[tuple[str, str, bytes]] = [
        ("zip, stored", "a.zip", zipped(two, zipfile.ZIP_STORED)),
        ("zip, deflated", "a.zip", zipped(two)),
        ("zip without its suffix", "photos", zipped(two)),
        ("zip behind other bytes", "a.zip", b"#!/bin/sh\nexit\n" + zipped(two)),
        ("zip of Finder with more entries than its end can count", "a.zip", zipped_raw(raw, count=1)),
        ("tar", "a.tar", tarred(two)),
        ("tar of GNU", "a.tar", tarred(two, form=tarfile.GNU_FORMAT)),
        ("tar of the old form", "a.tar", tarred(two, form=tarfile.USTAR_FORMAT)),
        ("tar.gz", "a.tar.gz", tarred(two, "w:gz")),
        ("tgz", "a.tgz", tarred(two, "w:gz")),
        ("tar.bz2", "a.tar.bz2", tarred(two, "w:bz2")),
        ("tar.xz", "a.tar.xz", tarred(two, "w:xz")),
        ("tar.xz of two streams", "a.txz", _two_streams(tarred(two))),
        ("tar.bz2 without its suffix", "photos", tarred(two, "w:bz2")),
    ]
    red = picture(RED)
    packed = {f"{name}.gz": gzip.compress(data) for name, data in two.items()}
    return [
        *(Archive(name, file_name, content, **OF_TWO) for name, file_name, content in same),
        Archive("picture in gzip", "a.png.gz", gzip.compress(red), ("a.png",)),
        Archive("picture in bzip2", "a.png.bz2", bz2.compress(red), ("a.png",)),
        Archive("packed pictures in a zip", "a.zip", zipped(packed), TWO, _labelled(TWO)),
        Archive("picture in xz", "a.png.xz", lzma.compress(red), ("a.png",)),
        Archive(
            "pictures numbered as parts are", "a.zip", zipped(pictures("scan.001", "x.z01")), ("scan.001", "x.z01")
        ),
    ]


def _refused() -> list[Archive]:
    two = pictures(*TWO)
    inner, bomb = tarred(two, "w:gz"), gzip.compress(bytes(40 * 1024**2))
    whole: list[tuple[str, str, bytes, str]] = [
        ("tar.xz cut off", "a.tar.xz", tarred(two, "w:xz")[:150], "archive_corrupt"),
        ("tar.xz that asks for 4 GiB of memory", "a.tar.xz", _greedy(tarred(two, "w:xz")), "archive_corrupt"),
        ("gzip cut off", "a.png.gz", gzip.compress(picture(RED))[:-9], "archive_corrupt"),
        ("bomb in gzip", "a.png.gz", bomb, "archive_ratio_exceeded"),
        ("7z", "a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40), "unsupported_archive"),
        ("RAR", "a.rar", b"Rar!\x1a\x07\x01\x00" + bytes(40), "unsupported_archive"),
        ("tar.lz4", "a.tar.lz4", b"\x04\x22\x4d\x18" + bytes(40), "unsupported_archive"),
        ("lz4 by its content", "photos", b"\x04\x22\x4d\x18" + bytes(40), "unsupported_archive"),
        ("tar.Z", "a.tar.Z", b"\x1f\x9d\x90" + bytes(40), "unsupported_archive"),
        ("first part of a zip", "a.z01", b"PK\7\10PK\3\4" + bytes(40), "unsupported_archive"),
        ("part of a zip without its end", "a.zip.001", b"PK\3\4" + bytes(40), "archive_corrupt"),
        ("tar.zst", "a.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(40), "unsupported_archive"),
    ]
    members: list[tuple[str, bytes, str]] = [
        ("zip, another compression", zipped(two, zipfile.ZIP_BZIP2), "unsupported_compression"),
        ("zip with a password", encrypted(two), "encrypted_member"),
    ]
    nested = zipped({"b.zip": zipped(two), "c.png": picture(RED)})
    saved = zipped({"b.pt": zipped({"b/data.pkl": JUNK}), "c.png": picture(RED)})
    return [
        *(Archive(name, file_name, content, rejected={file_name: code}) for name, file_name, content, code in whole),
        *(Archive(name, "a.zip", content, rejected=dict.fromkeys(TWO, code)) for name, content, code in members),
        Archive("tar.gz in a tar", "a.tar", tarred({"b.tgz": inner}), rejected={"b.tgz": "nested_archive"}),
        Archive("bomb in a zip", "a.zip", zipped({"a.png.gz": bomb}), rejected={"a.zip": "archive_ratio_exceeded"}),
        Archive("what PyTorch saves", "a.zip", saved, ("c.png",), rejected={"b.pt": "undecodable_image"}),
        Archive("zip in a zip", "a.zip", nested, ("c.png",), rejected={"b.zip": "nested_archive"}),
    ]


def _two_streams(data: bytes) -> bytes:
    return lzma.compress(data[:700]) + bytes(4) + lzma.compress(data[700:])


def _greedy(data: bytes) -> bytes:
    """What was packed by xz, asking for 4 GiB of memory."""
    changed = bytearray(data)
    end = 12 + 4 * (data[12] + 1)  # of the header of the first block
    changed[16] = 40  # size of the dictionary
    changed[end - 4 : end] = struct.pack("<I", zlib.crc32(changed[12 : end - 4]))
    return bytes(changed)


def _of_systems() -> list[Archive]:
    left_behind: list[tuple[str, Members, Mapping[str, int]]] = [
        ("Finder", {"__MACOSX/cat/._a.png": JUNK, "cat/.DS_Store": JUNK, "cat/Icon\r": b""}, {"system_file": 3}),
        (
            "a Synology",
            {
                "cat/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg": picture(RED),
                "#recycle/x.png": picture(GREEN),
                "cat/a.png@SynoEAStream": JUNK,
            },
            {"system_file": 3},
        ),
        (
            "a disk of Windows",
            {"$RECYCLE.BIN/S-1/x.png": picture(RED), "cat/Thumbs.db": JUNK, "desktop.ini": JUNK, "~$list.docx": JUNK},
            {"system_file": 4},
        ),
        (
            "a disk of Linux",
            {"lost+found/x.png": picture(RED), ".Trash-1000/files/y.png": picture(GREEN), ".thumbnails/z.png": JUNK},
            {"system_file": 3},
        ),
        (
            "notebooks",
            {".ipynb_checkpoints/a.png": picture(RED), ".git/config": JUNK, ".hidden.png": picture(BLUE)},
            {"system_file": 1, "hidden_file": 2},
        ),
    ]
    return [
        Archive(
            f"{kind} with what is left by {name}", f"a.{kind}", pack(pictures(*TWO) | extra), skipped=skipped, **OF_TWO
        )
        for kind, pack in (("zip", zipped), ("tar", tarred))
        for name, extra, skipped in left_behind
    ]


def _of_cameras() -> list[Archive]:
    red, blue, green = (picture(colour, "JPEG") for colour in (RED, BLUE, GREEN))
    live = {"IMG_1.JPG": red, "IMG_1.MOV": JUNK, "IMG_2.mov": JUNK, "IMG_2.jpg": blue, "IMG_1.AAE": JUNK}
    takeout = {"a.jpg": red, "b.jpg": blue, "a(1).jpg": green}
    takeout |= dict.fromkeys(("a.jpg.json", "b.jpg.supplemental-metadata.json", "a.jpg(1).json"), TAKEOUT)
    lightroom = {"a.png": picture(RED), "a.xmp": JUNK, "a.THM": JUNK, "alone.xmp": JUNK}
    return [
        Archive("live photos", "a.zip", zipped(live), ("IMG_1.JPG", "IMG_2.jpg"), skipped={"sidecar": 3}),
        Archive("Takeout", "a.zip", zipped(takeout), ("a.jpg", "a(1).jpg", "b.jpg"), skipped={"sidecar": 3}),
        Archive("sidecars of Lightroom", "a.tar", tarred(lightroom), ("a.png",), skipped={"sidecar": 3}),
        Archive(
            "films that belong to no picture",
            "a.zip",
            zipped({"a.jpg": red, "b.mov": JUNK, "c/a.mov": JUNK}),
            ("a.jpg",),
            rejected={"b.mov": "undecodable_image", "c/a.mov": "undecodable_image"},
        ),
        Archive(
            "notes among pictures",
            "a.zip",
            zipped({"a.jpg": red, "notes.txt": JUNK}),
            ("a.jpg",),
            rejected={"notes.txt": "undecodable_image"},
        ),
        Archive("the same picture twice", "a.zip", zipped({"a.jpg": red, "b.jpg": red}), ("a.jpg",), duplicates=1),
    ]


ARCHIVES = [*_names(), *_packings(), *_refused(), *_of_systems(), *_of_cameras()]
"""All of them; their names differ."""
