"""Findings: what an adaptation has to say to programs and people, as warnings and as reasons of a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from pouf_core.contract.document import Document

_LISTED = 10
_LISTED_CHARACTERS = 60


class Finding(Document):
    """A finding.

    Attributes:
        code: stable snake_case identifier for programs.
        message: one or two sentences for people.
    """

    code: str
    message: str


def finding(code: str, message: str) -> Finding:
    """A finding from its two parts."""
    return Finding(code=code, message=message)


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends as sentences do."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def listed(names: Sequence[str]) -> str:
    """Names for a message: the first ten, each cut after 60 characters, and how many more there are."""
    shown = ", ".join(
        repr(name if len(name) <= _LISTED_CHARACTERS else name[:_LISTED_CHARACTERS] + "…") for name in names[:_LISTED]
    )
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED:,} more"
