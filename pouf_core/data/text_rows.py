"""Rows of a file of texts: usable ones, and those that are not with the reason."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from pouf_core.data.item_names import LONGEST_NAME
from pouf_core.data.losses import Lost, Undecoded
from pouf_core.data.texts import TextItem, clean_text
from pouf_core.errors import InvalidInput

#: Longer ones are no labels, but other columns.
LONGEST_LABEL = 10_000
_UNDECODED = re.compile("[\udc80-\udcff]")
_OTHER_SURROGATES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # which JSON may hold
_NO_LABEL = frozenset(("", "nan", "null", "n/a", "#n/a", "<na>"))
"""What tables hold where a label is missing, in small letters."""


@dataclass(frozen=True)
class TextRow:
    """A usable text, or pair of texts.

    Attributes:
        position: number of its line or row, from 1, the header included.
        text: cleaned, see `clean_text`.
        label: what a label column says, or None; for evaluation alone.
        text_pair: the second text of a pair, cleaned, or None.
        name: what its table calls it, or None.
    """

    position: int
    text: str
    label: str | None = None
    text_pair: str | None = None
    name: str | None = None

    @property
    def item(self) -> TextItem:
        """The text, or both."""
        return TextItem(self.text, self.text_pair)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why; `position` as in `TextRow`.

    Attributes:
        lost: what is lost with it.
        undecoded: where it is not in the encoding of its file, what is.
    """

    position: int
    code: str
    message: str
    lost: Lost = "item"
    undecoded: Undecoded | None = None


Row = TextRow | BadRow


def row_of(position: int, text: object, label: object = None) -> Row:
    """A row from a text and a label as they were read."""
    if not isinstance(text, str):
        return BadRow(position, "no_text", "The text is missing, or is not a string.")
    if not text.isascii() and _UNDECODED.search(text):
        content = Undecoded(_OTHER_SURROGATES.sub("", text).encode("utf-8", "surrogateescape"))
        message = f"Row {position} is not in the encoding of the file."
        return BadRow(position, "undecodable_text", message, undecoded=content)
    try:
        cleaned = clean_text(text)
    except InvalidInput as error:
        return BadRow(position, error.code, error.message)
    return TextRow(position, cleaned, label_of(label))


def called(row: Row, name: object) -> Row:
    """A row with the name that its table has for it: what people call it, or its number."""
    if isinstance(row, BadRow) or not isinstance(name, str | int) or not str(name).strip():
        return row
    return replace(row, name=str(name).strip()[:LONGEST_NAME])


def empty_line(position: int) -> BadRow:
    """A line without anything, which is no loss."""
    return BadRow(position, "empty_text", "The line is empty.", lost="nothing")


def pair_of(position: int, first: object, second: object, label: object = None) -> Row:
    """A row from both texts of a pair and a label as they were read."""
    one, other = row_of(position, first, label), row_of(position, second)
    if isinstance(one, BadRow):
        return replace(one, message=f"text_a: {one.message}")
    if isinstance(other, BadRow):
        return replace(other, message=f"text_b: {other.message}")
    return TextRow(position, one.text, one.label, other.text)


def label_of(value: object) -> str | None:
    """A label as it is stored; None for a missing value, as tables and JSON have it, several labels, and texts."""
    if isinstance(value, list):
        return label_of(value[0]) if len(value) == 1 else None
    if isinstance(value, dict):
        return label_of(value["name"]) if isinstance(value.get("name"), str) else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    name = str(value).strip().replace("\0", "").encode("utf-8", "replace").decode()
    return None if len(name) > LONGEST_LABEL or name.casefold() in _NO_LABEL else name
