"""The likeliest encoding of bytes that say none: by chardet, by what programs write, and by how words look.

chardet alone takes a few words with accents for one of some forty encodings that hardly anything writes.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import chardet

_WINDOWS = "cp1252"
#: That programs write today; the others are those of DOS, of mainframes, and of ISO where Windows has its own.
_USUAL = frozenset(
    (
        *("cp874", "cp932", "cp949", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
        *("big5", "big5hkscs", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk", "iso2022_jp", "koi8-r", "shift_jis"),
    )
)
_WEIGHTS = {_WINDOWS: 1.5, "mac-roman": 1.2}  # Excel's "CSV (Macintosh)" is in the second
_USUAL_WEIGHT, _OTHER_WEIGHT = 1.0, 0.3
_ODDITY = 6.0  # by which the share of odd words counts, as a power of e
_LOOKED_AT = 16_384  # bytes of lines that are not ASCII
_WORD = re.compile(r"[^\s\x00-&(-,./:-@\[-`{-~]+")  # apostrophes and hyphens belong to words
_MOST_WORDS = 500
_WITHIN_WORDS = "’‘·‑–'-"
_OF_EAST_ASIA = "FWH"  # where no space is beside signs
_MOST_ACCENTS = 2  # in a row


@dataclass(frozen=True)
class Likely:
    """An encoding, and its share, from 0.5 to 1, against the next likeliest one that reads otherwise."""

    name: str
    share: float


def likeliest_of(content: bytes) -> Likely | None:
    """The likeliest encoding; Windows-1252 where that reads the same. None where chardet finds none."""
    looked_at = b"\n".join(line for line in content.split(b"\n") if not line.isascii())[:_LOOKED_AT]
    readings: dict[str, tuple[float, str]] = {}
    for name, confidence in _found(looked_at):
        text = looked_at.decode(name, "replace")
        weight = _WEIGHTS.get(name, _USUAL_WEIGHT if name in _USUAL else _OTHER_WEIGHT)
        likelihood = confidence * weight * math.exp(-_ODDITY * _odd_share(text))
        if likelihood > readings.get(text, (0.0, ""))[0]:
            readings[text] = likelihood, name
    if not readings:
        return None
    (likelihood, name), *others = sorted(readings.values(), reverse=True)
    next_one = others[0][0] if others else 0.0
    same = content.decode(_WINDOWS, "replace") == content.decode(name, "replace")
    return Likely(_WINDOWS if same else name, likelihood / (likelihood + next_one))


def _found(content: bytes) -> Iterator[tuple[str, float]]:
    for one in chardet.detect_all(content, ignore_threshold=True):
        if one["encoding"] is not None and one["confidence"] > 0:
            yield codecs.lookup(one["encoding"]).name, one["confidence"]


def _odd_share(text: str) -> float:
    """Of the words beyond ASCII, how many look as words do that are read in a wrong encoding."""
    words = [word for word in _WORD.findall(text) if not word.isascii()][:_MOST_WORDS]
    return sum(map(_is_odd, words)) / len(words) if words else 0.0


def _is_odd(word: str) -> bool:
    """Whether a word has signs within, capitals behind small letters, many accents in a row, or two scripts."""
    scripts, accents = set[str](), 0
    for before, letter, after in zip(" " + word, word, word[1:] + " ", strict=False):
        category = unicodedata.category(letter)
        if category in ("Cc", "Cn", "Co"):
            return True
        if not letter.isalpha():
            accents = 0
            is_sign = category[0] in "SPN" and not letter.isascii() and letter not in _WITHIN_WORDS
            is_sign = is_sign and unicodedata.east_asian_width(letter) not in _OF_EAST_ASIA
            if is_sign and before.isalpha() and after.isalpha():
                return True
            continue
        if letter.isupper() and before.islower() and not (letter + before).isascii():
            return True
        script = unicodedata.name(letter, "").partition(" ")[0]
        scripts.add(script)
        accents = accents + 1 if script == "LATIN" and not letter.isascii() else 0
        if accents > _MOST_ACCENTS:
            return True
    return "LATIN" in scripts and len(scripts) > 1
