"""Texts as items: the one rule that ingestion, training and prediction share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pouf_core.contract.item_limits import MAX_CHARACTERS
from pouf_core.errors import InvalidInput

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TextItem:
    """One text, or a pair of texts, to classify."""

    text: str
    text_pair: str | None = None

    def __len__(self) -> int:
        """Characters of both."""
        return len(self.text) + len(self.text_pair or "")


Text = str | TextItem
"""A single text may be given as a string."""


def text_item(text: Text) -> TextItem:
    """One form for both."""
    return text if isinstance(text, TextItem) else TextItem(text)


def given_text(source: object, base_model: str) -> TextItem:
    """A text or a pair that a caller gave to be classified by a base model.

    Raises:
        InvalidInput: `wrong_modality`.
    """
    if not isinstance(source, str | TextItem):
        message = f"{base_model} takes texts, and this is a {type(source).__name__}."
        raise InvalidInput("wrong_modality", message)
    return text_item(source)


def clean_text(raw: str) -> str:
    """The text without space around it; nothing else of it is changed.

    Raises:
        InvalidInput: `empty_text` (white space alone), `text_too_long`, `undecodable_text` (a surrogate alone, or NUL).
    """
    text = raw.strip().removeprefix("\ufeff").strip()
    check_text(text)
    return text


def check_text(text: str) -> None:
    """Raise what `clean_text` raises of a text without space around it."""
    if not text:
        raise InvalidInput("empty_text", "The text is empty.")
    if len(text) > MAX_CHARACTERS:
        message = f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are accepted."
        raise InvalidInput("text_too_long", message)
    if "\0" in text or (not text.isascii() and _SURROGATES.search(text)):
        raise InvalidInput("undecodable_text", "The text holds NUL or a lone surrogate, which are no Unicode text.")


def clean_item(raw: Text) -> TextItem:
    """A text or both texts of a pair, each as `clean_text` has it.

    Raises:
        InvalidInput: as `clean_text`.
    """
    item = text_item(raw)
    pair = None if item.text_pair is None else clean_text(item.text_pair)
    return TextItem(clean_text(item.text), pair)


def text_hash(text: Text) -> str:
    """SHA-256 (hex) of a cleaned text's UTF-8; of a pair, with NUL between the two, which no cleaned text holds."""
    return hashlib.sha256(whole_text(text)).hexdigest()


def whole_text(text: Text) -> bytes:
    """What is hashed of a cleaned text."""
    item = text_item(text)
    return (item.text if item.text_pair is None else f"{item.text}\0{item.text_pair}").encode()
