"""The time for reading a sample counts what is computed, since others may use the machine."""

from __future__ import annotations

import pytest

from pouf_core.data.uploads import allowance as module
from pouf_core.data.uploads.allowance import Allowance


@pytest.mark.parametrize(
    ("clock", "computed", "used"),
    [(0.9, 0.9, False), (5.0, 0.9, False), (5.0, 1.1, True), (11.9, 0.0, False), (12.1, 0.0, True)],
)
def test_an_allowance_is_used_by_what_is_computed_and_late_by_the_clock(
    clock: float, computed: float, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks, seconds = iter((100.0, 100.0 + clock)), iter((7.0, 7.0 + computed))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clocks))
    monkeypatch.setattr(module, "seconds_computed", lambda _: next(seconds))
    assert Allowance(1.0).is_used() == used


def test_a_share_is_used_before_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "monotonic", iter((0.0, 7.0, 7.0)).__next__)
    monkeypatch.setattr(module, "seconds_computed", lambda _: 0.0)
    allowance = Allowance(1.0)
    assert (allowance.is_used(0.5), allowance.is_used()) == (True, False)
