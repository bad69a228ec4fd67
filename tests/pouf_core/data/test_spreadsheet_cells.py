"""Cells that spreadsheets do not execute."""

from __future__ import annotations

import pytest

from pouf_core.data.spreadsheet_cells import cell, text_of_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", "\t=1", "\r=1", "\n=1"])
def test_what_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert text_of_cell(cell(text)) == text


@pytest.mark.parametrize("text", ["", "boat", "1+1", "'quoted'", "'"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text
    assert text_of_cell(text) == text
