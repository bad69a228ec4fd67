"""One of the forms that Unicode has for the same text, in time that grows with its length alone."""

from __future__ import annotations

import unicodedata
from typing import Literal

#: Marks on one letter; Unicode's stream-safe text format (UAX #15) has no more, and no language nearly as many.
MOST_MARKS = 30


def normalized(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """Return the text in that form, or as it is where a letter has more than `MOST_MARKS` marks.

    CPython puts the marks of a letter in order by comparing each with each: 10,000 of them take a tenth of a second,
    and a megabyte many minutes, while no other thread runs.
    """
    return text if _has_many_marks(text) else unicodedata.normalize(form, text)


def _has_many_marks(text: str) -> bool:
    if text.isascii() or len(text) <= MOST_MARKS:
        return False
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run > MOST_MARKS:
            return True
    return False
