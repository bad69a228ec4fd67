"""The fit of `GAIN_ROWS` to measured candidates, and estimates for families that were left out of it.

Coefficients come by weighted ridge regression of gains on 100 · changed · [1, terms]: what all rows have in common, and
how each row differs, which is held more tightly. The ends of the 90 % interval come by quantile regression, of what is
left over in families that were left out. Every family has the same weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from pouf_core.contract.closed_forms import ClosedFormSettings
from pouf_core.validation.evidence import Evidence
from pouf_core.validation.gain import TERMS, GainRow, estimate_gain, terms_of

ENDS = {"below": 0.05, "above": 0.95}
LEAST_FAMILIES = 3
_OF_THE_DATA = ("log_classes",)
"""Terms that all candidates of a dataset share, so that only many families can tell what they are worth."""
_FAMILIES_FOR_THOSE = 6
_PENALTY = 0.02  # of the mean weighted square of the columns
_ROW_SCALE = 0.5  # so that what a row has for itself is held four times as tightly
_LEAST_SPREAD = 4.0  # points; the square of an error grows about as this and the percent changed
_MOST = ((0.0, 8.0), (0.0, 0.8))  # of the multiples of sampling error and of the percent changed
_STARTS = ((1.0, 0.05), (2.0, 0.15), (3.0, 0.4))
_NO_ENDS = (0.0, 0.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Candidate methods in cells, all of one row.

    Attributes:
        evidence: of each of m candidates.
        settings: [m] of the closed forms.
        gains: [m] true gains in points.
        families: [m] of which family.
    """

    evidence: list[Evidence]
    settings: list[ClosedFormSettings]
    gains: Floats
    families: NDArray[Any]

    def only(self, chosen: NDArray[np.bool_]) -> Candidates:
        """Some of them."""
        places = np.flatnonzero(chosen)
        evidence, settings = [self.evidence[one] for one in places], [self.settings[one] for one in places]
        return Candidates(evidence, settings, self.gains[chosen], self.families[chosen])

    def estimated(self, row: GainRow) -> Floats:
        """[m, 3] estimates by a row: points and the ends of the interval."""
        found = [estimate_gain(one, row, form) for one, form in zip(self.evidence, self.settings, strict=True)]
        return np.array([(one.points, one.low, one.high) for one in found]).reshape(-1, 3)

    @cached_property
    def weights(self) -> Floats:
        """[m] weights that sum to 1 for every family."""
        _, places, counts = np.unique(self.families, return_inverse=True, return_counts=True)
        return 1 / counts[places]

    @cached_property
    def percent(self) -> Floats:
        """[m] percent of the items that change."""
        return np.array([100 * one.changed for one in self.evidence])

    @cached_property
    def terms(self) -> Floats:
        """[m, T] terms of the estimate."""
        found = [terms_of(one, form) for one, form in zip(self.evidence, self.settings, strict=True)]
        terms = np.array(found).reshape(-1, len(TERMS))
        if len(np.unique(self.families)) < _FAMILIES_FOR_THOSE:
            terms[:, [TERMS.index(name) for name in _OF_THE_DATA]] = 0
        return terms


Groups = Mapping[str, Candidates]
"""The candidates of each row."""


def fit_rows(groups: Groups) -> dict[str, GainRow]:
    """Rows fitted to all the candidates.

    Args:
        groups: at least two families in each row.
    """
    return {name: _fitted(groups, name) for name in groups}


def left_out_estimates(groups: Groups) -> dict[str, Floats]:
    """[m, 3] estimates by rows that were fitted without the candidate's family, of rows with enough families."""
    groups = {name: data for name, data in groups.items() if len(np.unique(data.families)) >= LEAST_FAMILIES}
    estimates = {name: np.empty((len(data.gains), 3)) for name, data in groups.items()}
    for name, data in groups.items():
        for family in np.unique(data.families):
            out = data.families == family
            estimates[name][out] = data.only(out).estimated(_fitted(_without(groups, name, family), name))
    return estimates


def choosing_half(families: Iterable[str]) -> set[str]:
    """Every other family in order of name, from the first: half of them are for choosing, the rest for reporting."""
    return set(sorted(set(families))[::2])


def _fitted(groups: Groups, name: str) -> GainRow:
    """One of the rows, its interval fitted to what is left over where one of its families is left out."""
    data, left_over = groups[name], np.empty(len(groups[name].gains))
    for family in np.unique(data.families):
        out = data.families == family
        row = _coefficients(_without(groups, name, family))[name]
        left_over[out] = data.gains[out] - data.only(out).estimated(row)[:, 0]
    families = len(np.unique(data.families))
    wider = 1 + 1 / families  # few tell little of how far off a new one may be
    ends = {end: _end(data, left_over, quantile, wider) for end, quantile in ENDS.items()}
    return replace(_coefficients(groups)[name], **ends)


def _without(groups: Groups, name: str, family: str) -> Groups:
    return {**groups, name: groups[name].only(groups[name].families != family)}


def _coefficients(groups: Groups) -> dict[str, GainRow]:
    """Ridge over standardised terms: columns for all rows together, then for each row alone. The ends are left at 0."""
    together = np.concatenate([data.terms for data in groups.values()])
    mean, spread = together.mean(axis=0), together.std(axis=0) + 1e-9
    parts = [_columns(data, mean, spread) for data in groups.values()]
    blocks = [
        np.column_stack([part, *(_ROW_SCALE * part if place == own else 0 * part for place in range(len(parts)))])
        for own, part in enumerate(parts)
    ]
    columns, gains = np.concatenate(blocks), np.concatenate([data.gains for data in groups.values()])
    weights = np.concatenate([data.weights / (_LEAST_SPREAD + data.percent) for data in groups.values()])
    penalty = _PENALTY * (weights[:, None] * columns**2).sum(axis=0).mean()
    found = Ridge(alpha=penalty, fit_intercept=False).fit(columns, gains, sample_weight=weights).coef_
    shared, *own_parts = found.reshape(1 + len(groups), -1)
    return {
        name: _row(data, shared + _ROW_SCALE * own, mean, spread)
        for (name, data), own in zip(groups.items(), own_parts, strict=True)
    }


def _columns(data: Candidates, mean: Floats, spread: Floats) -> Floats:
    """[m, 1 + T] what the standardised coefficients are multiplied with."""
    return data.percent[:, None] * np.column_stack([np.ones(len(data.gains)), (data.terms - mean) / spread])


def _row(data: Candidates, standardised: Floats, mean: Floats, spread: Floats) -> GainRow:
    slopes = standardised[1:] / spread
    constant = float(standardised[0] - slopes @ mean)
    if len(np.unique(data.families)) < _FAMILIES_FOR_THOSE:
        slopes = np.where([name in _OF_THE_DATA for name in TERMS], 0, slopes)
    most_lost = max(one.classes_lost for one in data.evidence)
    return GainRow(constant, tuple(map(float, slopes)), below=_NO_ENDS, above=_NO_ENDS, most_classes_lost=most_lost)


def _end(data: Candidates, left_over: Floats, quantile: float, wider: float) -> tuple[float, float]:
    """The two multiples of an end of the interval, by the pinball loss (Koenker & Bassett, 1978), times `wider`."""
    nothing, sampling, changed = (_squared_distance(data, end) for end in (_NO_ENDS, (1.0, 0.0), (0.0, 1.0)))
    side = 1 if quantile > 0.5 else -1

    def loss(end: Floats) -> float:
        square = nothing + end[0] ** 2 * (sampling - nothing) + end[1] ** 2 * (changed - nothing)
        error = left_over - side * np.sqrt(square)
        return float(np.sum(data.weights * np.maximum(quantile * error, (quantile - 1) * error)))

    found = [minimize(loss, start, method="Nelder-Mead", bounds=_MOST, options={"xatol": 0.01}) for start in _STARTS]
    best = min(found, key=lambda one: float(one.fun))
    return round(wider * float(best.x[0]), 2), round(wider * float(best.x[1]), 3)


def _squared_distance(data: Candidates, end: tuple[float, float]) -> Floats:
    """[m] squares of the interval's reach; its parts add up as in `estimate_gain`, which is asked with an empty row."""
    row = GainRow(0.0, (0.0,) * len(TERMS), below=end, above=end, most_classes_lost=np.inf)
    return np.square(data.estimated(row)[:, 2])
