"""Texts as items: the one rule that ingestion, training and prediction share."""

from __future__ import annotations

import hashlib

from pouf_core.errors import InvalidInput

MAX_CHARACTERS = 100_000
"""Longest text that is taken; encoders read the beginning of long ones only."""


def clean_text(raw: str) -> str:
    """The text without space around it; nothing else of it is changed.

    Raises:
        InvalidInput: `empty_text` (white space alone), `text_too_long`, `undecodable_text` (a surrogate alone, or NUL).
    """
    text = raw.strip().removeprefix("\ufeff").strip()
    if not text:
        raise InvalidInput("empty_text", "The text is empty.")
    if len(text) > MAX_CHARACTERS:
        message = f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are accepted."
        raise InvalidInput("text_too_long", message)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput("undecodable_text", "The text holds NUL or a lone surrogate, which are no Unicode text.")
    return text


def text_hash(text: str) -> str:
    """SHA-256 (hex) of a cleaned text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
