"""Other limits than the table's, for tests that want data or changes to pass or to fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pouf_core.contract.tune_modes import ModelKind
from pouf_core.validation import thresholds
from pouf_core.validation.thresholds import KINDS, Limit, Mode, Row

Value = float | None | Mapping[ModelKind | tuple[ModelKind, Mode], float | None]


def set_limits(monkeypatch: pytest.MonkeyPatch, **values: Value) -> None:
    """Give the limits of some codes other values: one for every kind and mode, or some by kind and mode.

    None switches a limit off.
    """
    known = {limit.code for row in thresholds.TABLE for limit in row.limits.values()}
    assert values.keys() <= known
    monkeypatch.setattr(thresholds, "TABLE", tuple(_with_limits(row, values) for row in thresholds.TABLE))


def _with_limits(row: Row, values: Mapping[str, Value]) -> Row:
    return replace(row, limits={level: _other(limit, values) for level, limit in row.limits.items()})


def _other(limit: Limit, values: Mapping[str, Value]) -> Limit:
    value = values.get(limit.code, limit.values)
    return replace(limit, values=value if isinstance(value, Mapping) else dict.fromkeys(KINDS, value))


CLEAR_DATA: dict[str, Value] = {"weak_structure": -1e9, "little_room": None}
"""Any data passes."""
TRUSTED_CHANGES: dict[str, Value] = {
    "overrules_confident_predictions": 2.0,
    "many_flips": 2.0,
    "marginal_shift": 2.0,
    "classes_vanished": 2.0,
}
"""Only a very large change fails."""
