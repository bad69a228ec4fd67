"""Texts in cells of CSV, which spreadsheets may take for formulas and execute."""

from __future__ import annotations

#: What begins one; spreadsheets of East Asian languages take the full-width forms, too.
FORMULAS = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20", *"\t\r\n")


def cell(text: str) -> str:
    """The text, with an apostrophe before what begins like a formula."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def text_of_cell(written: str) -> str:
    """The text without the apostrophe that `cell` puts before it."""
    return written[1:] if written.startswith("'") and written[1:].startswith(FORMULAS) else written
