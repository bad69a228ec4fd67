"""The estimated gain of an adaptation: from evidence without labels to percentage points of accuracy.

A changed item gains 1 where the new class is right, loses 1 where the old one was, and else nothing, so that

    gain = 100 · changed · (constant + sum over terms of slope · term)

in points, with a constant and slopes fitted to labelled tasks by `benchmarks/gain.py`, which also reports how the
estimate does on tasks left out of the fit. Encoders differ in what neighbours are worth: to some, items that look alike
lie close together whatever their class. So there is a row for encoders trained on pairs of pictures and texts at scale,
one for sentence encoders, and one for `pouf-lite`, each held near what all of them have in common.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.closed_forms import ClosedFormSettings, EstimatedGain
from pouf_core.validation.evidence import Evidence

TOLERATED_LOSS = 2.0
"""Points: what is served loses more with a probability of 5 % at most, by the estimate."""
TERMS = (
    "neighbours",
    "neighbours_before",
    "gaussian",
    "gaussian_classes",
    "text",
    "classes_lost",
    "calibrates",
    "presence",
    "log_classes",
)
_LEAST_ERROR = 0.3  # points


@dataclass(frozen=True)
class GainRow:
    """What was fitted for one sort of encoder.

    Attributes:
        constant: of the formula above.
        slopes: of the terms, in the order of `TERMS`.
        below, above: how far the ends of the 90 % interval lie from the estimate: multiples of the sampling error
            100 · sqrt(changed / n), and of the percent changed.
        most_classes_lost: the largest `Evidence.classes_lost` that was measured. Beyond it nothing is known: where
            items collapse onto a few classes, all neighbours agree.
    """

    constant: float
    slopes: tuple[float, ...]
    below: tuple[float, float]
    above: tuple[float, float]
    most_classes_lost: float


GAIN_ROWS: dict[str, GainRow] = {
    "pairs": GainRow(
        constant=-0.034,
        slopes=(0.536, -0.224, 1.094, 0.113, -0.221, -0.379, 0.007, -0.057, 0.0),
        below=(2.73, 0.0),
        above=(1.8, 0.724),
        most_classes_lost=0.23,
    ),
    "text": GainRow(
        constant=-0.195,
        slopes=(0.382, 0.482, 0.477, -0.066, -0.322, 2.406, 0.086, -0.014, 0.0),
        below=(1.59, 0.267),
        above=(3.1, 0.207),
        most_classes_lost=0.34,
    ),
    "pouf-lite": GainRow(
        constant=-0.263,
        slopes=(-0.104, 0.156, 0.745, -0.134, 0.013, 0.016, 0.162, -0.077, 0.117),
        below=(1.54, 0.262),
        above=(1.37, 0.315),
        most_classes_lost=0.76,
    ),
}


def gain_row(base: BaseModelDescription) -> GainRow:
    """The row for a base model's encoder of items."""
    return GAIN_ROWS.get(base.family) or GAIN_ROWS["text" if base.kind == "text" else "pairs"]


def terms_of(evidence: Evidence, settings: ClosedFormSettings | None) -> tuple[float, ...]:
    """The terms of the formula, in the order of `TERMS`.

    Args:
        evidence: for the change.
        settings: of the closed form that makes it; None for what was trained.
    """
    return (
        evidence.neighbours,
        evidence.neighbours_before,
        evidence.gaussian,
        evidence.gaussian_classes,
        evidence.text,
        evidence.classes_lost,
        float(settings is not None and settings.tune == "calibrate"),
        float(settings is not None and bool(settings.presence)),
        math.log(evidence.classes),
    )


def estimate_gain(evidence: Evidence, row: GainRow, settings: ClosedFormSettings | None = None) -> EstimatedGain:
    """Gain over zero-shot with its 90 % interval; nothing changed is no gain.

    Args:
        evidence: for the change.
        row: for the encoder.
        settings: of the closed form that makes the change; None for what was trained.
    """
    if not evidence.changed:
        return EstimatedGain(points=0.0, low=0.0, high=0.0)
    percent = 100 * evidence.changed
    sampling = 100 * math.sqrt(evidence.changed / evidence.items)
    terms = terms_of(evidence, settings)
    points = percent * (row.constant + sum(slope * term for slope, term in zip(row.slopes, terms, strict=True)))

    def distance(end: tuple[float, float]) -> float:
        return math.hypot(_LEAST_ERROR, end[0] * sampling, end[1] * percent)

    low, high = points - distance(row.below), points + distance(row.above)
    if evidence.classes_lost > row.most_classes_lost:
        low = -percent
    return EstimatedGain(points=points, low=low, high=high)


def is_served(gain: EstimatedGain) -> bool:
    """Whether a closed form is worth serving: a larger gain is expected than the loss that is possible, and losing more
    than `TOLERATED_LOSS` is unlikely."""
    return gain.low > -min(gain.points, TOLERATED_LOSS)


def preference(gain: EstimatedGain) -> tuple[bool, float]:
    """By which the best of several closed forms is chosen: the largest gain among those worth serving, else the
    surest."""
    served = is_served(gain)
    return served, gain.points if served else gain.low


def passed_over(settings: Sequence[ClosedFormSettings], changed: Sequence[float]) -> list[bool]:
    """Which of several closed forms are not chosen, whatever their estimated gain.

    A form that asks which classes are there goes on from where the mixtures that do not ask end. Where it changes fewer
    items than one of those, it has undone what that one changed, as it does on features that hold the classes badly.

    Args:
        settings: of the forms, all fitted to the same items; without a mixture that does not ask, none is passed over.
        changed: share of the items whose class each of them changes.
    """
    least = max((share for one, share in zip(settings, changed, strict=True) if one.presence is False), default=0.0)
    return [bool(one.presence) and share < least for one, share in zip(settings, changed, strict=True)]
