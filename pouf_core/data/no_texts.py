"""Rows of tables that are no data: more headings below the first ones, and totals at the end."""

from __future__ import annotations

from collections.abc import Sequence

from pouf_core.data.headings import folded
from pouf_core.data.text_tables import is_number

_OF_QUALTRICS = '{"importid"'
_OF_SURVEYMONKEY = frozenset(("response", "open_ended_response"))
_TOTALS = frozenset(
    (
        *("total", "totals", "grand_total", "sum", "average", "mean", "count", "summe", "gesamt", "gesamtsumme"),
        *("gesamtergebnis", "insgesamt", "mittelwert", "total_général", "somme", "moyenne", "suma", "promedio"),
        *("total_general", "totale", "media", "итого", "合计", "总计", "合計"),
    )
)
_MOST_HEADINGS = 3


def headings_below(rows: Sequence[Sequence[str]]) -> int:
    """How many rows below the first one are headings, too, as surveys export them.

    Of Qualtrics the questions and, last, keys in JSON; of SurveyMonkey one that says what kind of answer a column has.
    """
    for number, row in enumerate(rows[1:_MOST_HEADINGS], start=1):
        if any(cell.replace(" ", "").casefold().startswith(_OF_QUALTRICS) for cell in row):
            return number
    second = rows[1] if len(rows) > 2 else ()
    is_of_kinds = bool(second) and not second[0].strip() and any(folded(cell) in _OF_SURVEYMONKEY for cell in second)
    return int(is_of_kinds)


def is_total(cells: Sequence[str]) -> bool:
    """Whether a row is one of totals: a word that says so, and beside it nothing but numbers, one or more."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) > 1 and folded(filled[0]).rstrip(":") in _TOTALS and all(map(is_number, filled[1:]))
