"""Remarks on an adaptation for programs and for people: warnings, and reasons of a verdict."""

from __future__ import annotations

Note = dict[str, str]
"""`{"code", "message"}`."""


def note(code: str, message: str) -> Note:
    """A remark with a stable code and a sentence for people."""
    return {"code": code, "message": message}
