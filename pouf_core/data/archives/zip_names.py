"""The names in a zip, which most programs write without saying in which encoding."""

from __future__ import annotations

import string
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence

import chardet

_MARKED_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_READ_AS = "cp437"
"""How `zipfile` reads names without a mark; every byte is a character."""
_LETTERS = string.ascii_letters + string.digits + "/."
_GUESSED_BYTES = 64 * 1024
_LEAST_CONFIDENCE = 0.005  # of a guess; names are short, and chardet is modest about them


def names_of(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The name of each entry.

    One that is marked as UTF-8, or has a Unicode name beside its own, says so itself. The others were written by one
    program: they are UTF-8 where all of them can be, else in what chardet finds likeliest for all, else CP437.
    """
    unmarked = [_raw(info) for info in entries if not info.flag_bits & _MARKED_UTF8]
    encoding = _encoding_of([name for name in unmarked if not name.isascii()])
    return [_name(info, encoding) for info in entries]


def _name(info: zipfile.ZipInfo, encoding: str) -> str:
    if info.flag_bits & _MARKED_UTF8:
        return info.filename
    raw = _raw(info)
    return _unicode_name(info.extra, raw) or raw.decode(encoding)


def _raw(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode(_READ_AS).partition(b"\0")[0]


def _encoding_of(names: Sequence[bytes]) -> str:
    if not names or _decodes("utf-8", names):
        return "utf-8"
    for guess in chardet.detect_all(b"\n".join(names)[:_GUESSED_BYTES]):
        encoding = guess["encoding"]
        if encoding and guess["confidence"] >= _LEAST_CONFIDENCE and _holds_ascii(encoding):
            return encoding if _decodes(encoding, names) else _READ_AS
    return _READ_AS


def _holds_ascii(encoding: str) -> bool:
    """Whether letters without accents are the same bytes as in ASCII; those of mainframes and UTF-16 are not."""
    return _LETTERS.encode(encoding, "replace") == _LETTERS.encode()


def _decodes(encoding: str, names: Iterable[bytes]) -> bool:
    try:
        for name in names:
            name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _unicode_name(extra: bytes, raw: bytes) -> str | None:
    """The name that Info-ZIP and others put beside one that is not Unicode, where it is still of the same file."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field = extra[4 : 4 + size]
        if kind == _UNICODE_PATH and len(field) > 5 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw):
            return field[5:].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return None
