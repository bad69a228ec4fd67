"""The fit of a row of `GAIN_ROWS` to measured candidates, and estimates for tasks that were left out of it.

Coefficients come by weighted ridge regression of gains on 100 · changed · [1, evidence]; the ends of the 90 % interval
by quantile regression, of what is left over in families that were left out. Every family has the same weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from pouf_core.validation.evidence import Evidence
from pouf_core.validation.gain import GainRow, estimate_gain

TERMS = tuple(one.name for one in fields(Evidence) if one.name in {field.name for field in fields(GainRow)})
"""Names of the evidence that a row has coefficients for."""
ENDS = {"below": 0.05, "above": 0.95}
LEAST_FAMILIES = 3
_PENALTY = 0.01  # of the mean weighted square of the columns
_CONSTANT_SCALE = 10.0  # so that the constant is held a hundred times more loosely
_LEAST_SPREAD = 4.0  # points; the square of an error grows about as this and the percent changed
_MOST = ((0.0, 8.0), (0.0, 0.8))  # of the multiples of sampling error and of the percent changed
_STARTS = ((1.0, 0.05), (2.0, 0.15), (3.0, 0.4))
_NO_ENDS = (0.0, 0.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Candidate methods in cells.

    Attributes:
        evidence: of each of m candidates.
        gains: [m] true gains in points.
        families: [m] of which family.
    """

    evidence: list[Evidence]
    gains: Floats
    families: NDArray[Any]

    def only(self, chosen: NDArray[np.bool_]) -> Candidates:
        """Some of them."""
        evidence = [one for one, take in zip(self.evidence, chosen, strict=True) if take]
        return Candidates(evidence, self.gains[chosen], self.families[chosen])

    def estimated(self, row: GainRow) -> Floats:
        """[m, 3] estimates by a row: points and the ends of the interval."""
        found = [estimate_gain(one, row) for one in self.evidence]
        return np.array([(one.points, one.low, one.high) for one in found]).reshape(-1, 3)

    @cached_property
    def weights(self) -> Floats:
        """[m] weights by which every family counts as much, of mean 1."""
        names, places, counts = np.unique(self.families, return_inverse=True, return_counts=True)
        return len(places) / (len(names) * counts[places])

    @cached_property
    def percent(self) -> Floats:
        """[m] percent of the items that change."""
        return np.array([100 * one.changed for one in self.evidence])

    @cached_property
    def columns(self) -> Floats:
        """[m, 1 + terms] what the coefficients are multiplied with, as in `estimate_gain`."""
        rates = [[1.0, *(getattr(one, term) for term in TERMS)] for one in self.evidence]
        return self.percent[:, None] * np.array(rates)


def fit_row(data: Candidates) -> GainRow:
    """A row fitted to all the candidates, its interval to what is left over where a family is left out.

    Args:
        data: at least two families.
    """
    left_over = np.empty(len(data.gains))
    for family in np.unique(data.families):
        out = data.families == family
        row = _coefficients(data.only(~out))
        left_over[out] = data.gains[out] - data.only(out).estimated(row)[:, 0]
    ends = {name: _end(data, left_over, quantile) for name, quantile in ENDS.items()}
    return _coefficients(data, **ends)


def left_out_estimates(data: Candidates) -> Floats | None:
    """[m, 3] estimates by rows that were fitted without the candidate's family, or None with too few families."""
    families = np.unique(data.families)
    if len(families) < LEAST_FAMILIES:
        return None
    estimates = np.empty((len(data.gains), 3))
    for family in families:
        out = data.families == family
        estimates[out] = data.only(out).estimated(fit_row(data.only(~out)))
    return estimates


def choosing_half(families: Iterable[str]) -> set[str]:
    """Every other family in order of name, from the first: half of them are for choosing, the rest for reporting."""
    return set(sorted(set(families))[::2])


def _coefficients(
    data: Candidates, below: tuple[float, float] = _NO_ENDS, above: tuple[float, float] = _NO_ENDS
) -> GainRow:
    """Weighted ridge over standardised evidence."""
    percent = data.percent
    rates = data.columns[:, 1:] / np.where(percent, percent, 1)[:, None]
    mean, spread = rates.mean(axis=0), rates.std(axis=0) + 1e-9
    standard = percent[:, None] * (rates - mean) / spread
    columns = np.column_stack([_CONSTANT_SCALE * percent, standard])
    weights = data.weights / (_LEAST_SPREAD + percent)
    squares = (weights[:, None] * standard**2).sum(axis=0).mean()
    ridge = Ridge(alpha=_PENALTY * squares, fit_intercept=False).fit(columns, data.gains, sample_weight=weights)
    slopes = ridge.coef_[1:] / spread
    constant = _CONSTANT_SCALE * ridge.coef_[0] - float(slopes @ mean)
    named = dict(zip(TERMS, map(float, slopes), strict=True))
    most_lost = max(one.classes_lost for one in data.evidence)
    return GainRow(constant=float(constant), **named, below=below, above=above, most_classes_lost=most_lost)


def _end(data: Candidates, left_over: Floats, quantile: float) -> tuple[float, float]:
    """The two multiples of an end of the interval, by the pinball loss (Koenker & Bassett, 1978)."""
    nothing, sampling, changed = (_squared_distance(data, end) for end in (_NO_ENDS, (1.0, 0.0), (0.0, 1.0)))
    side = 1 if quantile > 0.5 else -1

    def loss(end: Floats) -> float:
        square = nothing + end[0] ** 2 * (sampling - nothing) + end[1] ** 2 * (changed - nothing)
        error = left_over - side * np.sqrt(square)
        return float(np.sum(data.weights * np.maximum(quantile * error, (quantile - 1) * error)))

    found = [minimize(loss, start, method="Nelder-Mead", bounds=_MOST, options={"xatol": 0.01}) for start in _STARTS]
    best = min(found, key=lambda one: float(one.fun))
    return round(float(best.x[0]), 2), round(float(best.x[1]), 3)


def _squared_distance(data: Candidates, end: tuple[float, float]) -> Floats:
    """[m] squares of the interval's reach; its parts add up as in `estimate_gain`, which is asked with an empty row."""
    row = GainRow(constant=0.0, **dict.fromkeys(TERMS, 0.0), below=end, above=end, most_classes_lost=np.inf)
    return np.square(data.estimated(row)[:, 2])
