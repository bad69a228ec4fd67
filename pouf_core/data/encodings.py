"""In which encoding a file of texts is written: its mark, else UTF-8, else the likeliest one."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from pouf_core.data.likely_encodings import likeliest_of
from pouf_core.errors import InvalidInput

#: What Python encodes text in, and no one a file.
_OF_NO_FILES = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_ZEROS = 0.6  # of the bytes in one half, of UTF-16
_MARKS = (  # the mark of UTF-32 LE begins as that of UTF-16 LE
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Encoding:
    """An encoding and how sure it is.

    Attributes:
        name: as Python knows it.
        confidence: from 0 to 1; 1 where the file says it, the caller does, or it is UTF-8 throughout.
    """

    name: str
    confidence: float = 1.0


def encoding_named(name: str) -> Encoding:
    """The encoding that a caller names.

    Raises:
        InvalidInput: `unknown_encoding`.
    """
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)  # refuses codecs that are no encodings of text
        if codec.name in _OF_NO_FILES:
            raise LookupError(codec.name)
        codec.decode(b"")
    except (LookupError, ValueError, TypeError) as error:
        message = f"{name!r} is no encoding of texts; utf-8, windows-1252 and utf-16 are some."
        raise InvalidInput("unknown_encoding", message, field="/encoding") from error
    return Encoding("utf-8-sig" if codec.name == "utf-8" else codec.name)


def encoding_said(name: str, head: bytes) -> Encoding:
    """The encoding that a caller names; of UTF-16 and UTF-32 the order of bytes that the file's first ones have.

    Raises:
        InvalidInput: `unknown_encoding`.
    """
    said = encoding_named(name)
    family = said.name[: len("utf-16")]
    if family not in ("utf-16", "utf-32"):
        return said
    if any(head.startswith(mark) and marked == family for mark, marked in _MARKS):
        return Encoding(family)
    if said.name != family:
        return said
    return Encoding((_unmarked_utf16(head) if family == "utf-16" else None) or f"{family}-le")


def detect_encoding(head: bytes) -> Encoding:
    """The encoding of a file by its first bytes.

    Bytes that are mostly UTF-8 count as UTF-8: those which are not then spoil their own text alone.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name)
    if (wide := _unmarked_utf16(head)) is not None:
        return Encoding(wide, 0.9)
    decoded = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    wrong = sum("\udc80" <= character <= "\udcff" for character in decoded)
    right = sum(character >= "\x80" for character in decoded) - wrong
    if right >= wrong:
        return Encoding("utf-8-sig", right / (right + wrong) if wrong else 1.0)
    return likeliest_encoding(head) or Encoding("utf-8-sig", 0.0)


def likeliest_encoding(content: bytes) -> Encoding | None:
    """As `likeliest_of`; None where none is likely."""
    found = likeliest_of(content)
    return None if found is None else Encoding(found.name, round(found.share, 2))


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without a mark, of which every other byte is zero in texts of Latin letters; None where it is not that."""
    first, second = (head[start::2].count(0) / max(len(head) // 2, 1) for start in (0, 1))
    if max(first, second) < _ZEROS or min(first, second) > 1 - _ZEROS:
        return None
    return "utf-16-le" if second > first else "utf-16-be"
