"""Findings: what an adaptation has to say to programs and people, as warnings and as reasons of a verdict."""

from __future__ import annotations

from pouf_core.contract.document import Document


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
