"""The estimated gain and what follows from it: which closed form is chosen, and whether it is served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pouf_core.contract.closed_forms import ClosedFormSettings, EstimatedGain
from pouf_core.validation.evidence import Evidence
from pouf_core.validation.gain import TERMS, GainRow, estimate_gain, is_served, passed_over, preference

EVIDENCE = Evidence(
    items=1000,
    classes=10,
    changed=0.2,
    neighbours=0.4,
    neighbours_before=0.1,
    gaussian=0.3,
    gaussian_classes=0.2,
    text=0.1,
    classes_lost=0.0,
)
ROW = GainRow(-0.1, tuple(0.5 if term == "neighbours" else 0.0 for term in TERMS), (0.0, 0.1), (0.0, 0.2), 0.3)
FORM = ClosedFormSettings(tune="gaussian", logit_scale=50.0, temper=0.02, presence=True)
CAREFUL = FORM.model_copy(update={"presence": False})
CALIBRATED = ClosedFormSettings(tune="calibrate", logit_scale=50.0)


def test_the_gain_is_the_percent_changed_times_the_rate_with_ends_on_both_sides() -> None:
    gain = estimate_gain(EVIDENCE, ROW, FORM)
    assert gain.points == pytest.approx(20 * (-0.1 + 0.5 * 0.4))
    assert gain.points - gain.low == pytest.approx(2.0, abs=0.05)
    assert gain.high - gain.points == pytest.approx(4.0, abs=0.05)


def test_a_form_counts_for_what_it_does() -> None:
    slopes = tuple({"calibrates": 0.1, "presence": 0.2}.get(term, 0.0) for term in TERMS)
    row = replace(ROW, constant=0.0, slopes=slopes)
    points = [estimate_gain(EVIDENCE, row, form).points for form in (FORM, CALIBRATED, None)]
    assert points == pytest.approx([4.0, 2.0, 0.0])


def test_beyond_the_classes_that_were_seen_to_be_lost_everything_may_be() -> None:
    assert estimate_gain(replace(EVIDENCE, classes_lost=0.4), ROW, FORM).low == -20


def test_no_change_is_no_gain() -> None:
    assert estimate_gain(replace(EVIDENCE, changed=0.0), ROW, FORM) == EstimatedGain(points=0.0, low=0.0, high=0.0)


@pytest.mark.parametrize(
    ("points", "low", "served"),
    [(3, 1, True), (3, -1.9, True), (3, -2.1, False), (0.5, -0.6, False), (-0.1, -0.5, False), (0, 0, False)],
)
def test_served_is_what_gains_and_is_unlikely_to_lose_two_points(points: float, low: float, served: bool) -> None:
    assert is_served(EstimatedGain(points=points, low=low, high=9)) == served


def test_the_largest_gain_that_may_be_served_is_preferred_and_else_the_surest() -> None:
    gains = [EstimatedGain(points=points, low=low, high=9) for points, low in ((5, -2), (3, -0.5), (2, 0.5), (1, -4))]
    ordered = sorted(gains, key=preference, reverse=True)
    assert [gain.points for gain in ordered] == [3, 2, 5, 1]


def test_forms_that_ask_for_classes_are_passed_over_where_they_change_less_than_one_that_does_not() -> None:
    settings = [CALIBRATED, FORM, FORM, FORM, CAREFUL, CAREFUL]
    assert passed_over(settings, [0.5, 0.19, 0.2, 0.3, 0.1, 0.2]) == [False, True, False, False, False, False]
    assert passed_over([CALIBRATED, FORM], [0.5, 0.1]) == [False, False]
