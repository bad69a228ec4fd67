"""Other limits than the table's, for tests that want data or changes to pass or to fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pouf_core.validation import thresholds
from pouf_core.validation.thresholds import KINDS, Row


def set_limits(monkeypatch: pytest.MonkeyPatch, **values: float | None) -> None:
    """Give the limits of some codes a value that holds for every kind of base model and mode; None switches one off."""
    known = {limit.code for row in thresholds.TABLE for limit in row.limits.values()}
    assert values.keys() <= known
    monkeypatch.setattr(thresholds, "TABLE", tuple(_with_limits(row, values) for row in thresholds.TABLE))


def _with_limits(row: Row, values: dict[str, float | None]) -> Row:
    limits = {
        level: replace(limit, values=dict.fromkeys(KINDS, values[limit.code])) if limit.code in values else limit
        for level, limit in row.limits.items()
    }
    return replace(row, limits=limits)


CLEAR_DATA: dict[str, float | None] = {"weak_structure": -1e9, "little_room": None}
"""Any data passes."""
TRUSTED_CHANGES: dict[str, float | None] = {
    "overrules_confident_predictions": 2.0,
    "many_flips": 2.0,
    "marginal_shift": 2.0,
    "classes_vanished": 2.0,
}
"""Only a very large change fails."""
