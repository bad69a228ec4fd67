"""The estimated gain of an adaptation: from evidence without labels to percentage points of accuracy.

A changed item gains 1 where the new class is right, loses 1 where the old one was, and else nothing, so that

    gain = 100 · changed · (c0 + c1 · neighbours + c2 · gaussian + c3 · text)

in points, with coefficients fitted to labelled tasks by `benchmarks/gain.py`, which also reports how the estimate does
on tasks left out of the fit. Encoders differ in what neighbours are worth: to some, items that look alike lie close
together whatever their class. So there is a row for encoders trained on pairs of pictures and texts at scale, one for
sentence encoders, and one for `pouf-lite`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.validation.evidence import Evidence

_LEAST_ERROR = 0.3  # points


@dataclass(frozen=True)
class GainRow:
    """What was fitted for one sort of encoder.

    Attributes:
        constant, neighbours, gaussian, text: c0 to c3 of the formula above.
        below, above: how far the ends of the 90 % interval lie from the estimate: multiples of the sampling error
            100 · sqrt(changed / n), and of the percent changed.
        most_classes_lost: the largest `Evidence.classes_lost` that was measured. Beyond it nothing is known: where
            items collapse onto a few classes, all neighbours agree.
    """

    constant: float
    neighbours: float
    gaussian: float
    text: float
    below: tuple[float, float]
    above: tuple[float, float]
    most_classes_lost: float


GAIN_ROWS: dict[str, GainRow] = {
    "pairs": GainRow(-0.088, 0.696, 1.186, -0.560, (2.26, 0.088), (1.10, 0.582), most_classes_lost=0.23),
    "text": GainRow(-0.497, 1.333, 0.579, -1.498, (0.0, 0.586), (8.0, 0.33), most_classes_lost=0.34),
    "pouf-lite": GainRow(-0.059, -0.177, 0.444, -0.130, (1.51, 0.2), (1.42, 0.343), most_classes_lost=0.77),
}


def gain_row(base: BaseModelDescription) -> GainRow:
    """The row for a base model's encoder of items."""
    return GAIN_ROWS.get(base.family) or GAIN_ROWS["text" if base.kind == "text" else "pairs"]


def estimate_gain(evidence: Evidence, row: GainRow) -> EstimatedGain:
    """Gain over zero-shot with its 90 % interval; nothing changed is no gain."""
    if not evidence.changed:
        return EstimatedGain(points=0.0, low=0.0, high=0.0)
    percent = 100 * evidence.changed
    sampling = 100 * math.sqrt(evidence.changed / evidence.items)
    points = percent * (
        row.constant
        + row.neighbours * evidence.neighbours
        + row.gaussian * evidence.gaussian
        + row.text * evidence.text
    )

    def distance(end: tuple[float, float]) -> float:
        return math.hypot(_LEAST_ERROR, end[0] * sampling, end[1] * percent)

    low, high = points - distance(row.below), points + distance(row.above)
    if evidence.classes_lost > row.most_classes_lost:
        low = -percent
    return EstimatedGain(points=points, low=low, high=high)
