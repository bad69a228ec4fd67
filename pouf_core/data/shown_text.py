"""Texts of files and services, made fit to be shown: they give a terminal no commands and do not turn the writing."""

from __future__ import annotations

import re

COMMANDS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
"""For a class of a regular expression: control characters, and those that turn the direction of writing.

Tabs and line breaks are none of them.
"""
_IN_TEXTS = re.compile(f"\r(?!\n)|[{COMMANDS}]")
_IN_NAMES = re.compile(f"[\t\n\r\u200e\u200f{COMMANDS}]")
_SHOWN_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def harmless(text: str) -> str:
    """Text of one line or several with U+FFFD in place of what commands a terminal, a carriage return alone too."""
    return _IN_TEXTS.sub(_SHOWN_INSTEAD, text)


def showable(text: str) -> str:
    """A name or a message, of one line, with U+FFFD in place of what databases do not store or should not be shown."""
    return _IN_NAMES.sub(_SHOWN_INSTEAD, text.encode("utf-8", "replace").decode())
