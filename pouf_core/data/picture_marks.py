"""Which files are pictures by their first bytes, without a decoder."""

from __future__ import annotations

import re

#: Bytes of a file that are looked at.
HEAD_OF_PICTURE = 12

_BEGINNINGS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    b"\0\0\0\x0cjP  ",
)
_PORTABLE = re.compile(rb"P[1-6]\s")
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_picture(head: bytes) -> bool:
    """Whether a file begins as a kind of picture does."""
    if head[4:8] == b"ftyp":
        return head[8:12] in _BRANDS
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return is_webp or head.startswith(_BEGINNINGS) or _PORTABLE.match(head) is not None
