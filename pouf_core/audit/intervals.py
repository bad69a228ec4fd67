"""The mean of a value in [0, 1] over all items, by a stratified sample of them, with its interval.

Each stratum's mean has a Beta posterior under a Jeffreys prior that counts one answer in all, shared by the strata's
items; the sum over the strata is taken as the Beta distribution of the same mean and variance, the variance of each
stratum less what was drawn of it. Intervals from a normal approximation fail where nearly all answers are right
(Brown, Cai and DasGupta 2001; for strata Franco, Little, Louis and Slud 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from pouf_core.audit.frame import Integers, Numbers

CONFIDENCE = 0.9
LEAST_JOINED = 8
ONCE = np.ones(1)
_PRIOR = 0.5  # answers of value 0, and as many of value 1


@dataclass(frozen=True)
class Posterior:
    """What is known of a mean.

    Attributes:
        value: the stratified estimate.
        mean: of the posterior.
        weight: how many answers of a plain sample would say as much; infinite where every item was answered.
        answers: how many there are.
    """

    value: float
    mean: float
    weight: float
    answers: int

    def quantile(self, level: float) -> float:
        """Of the posterior."""
        if not np.isfinite(self.weight):
            return self.value
        return float(betaincinv(self.mean * self.weight, (1 - self.mean) * self.weight, level))

    @property
    def interval(self) -> tuple[float, float]:
        """Of 90 %; the prior, which draws it to the middle, does not draw it past the estimate."""
        low, high = self.quantile((1 - CONFIDENCE) / 2), self.quantile((1 + CONFIDENCE) / 2)
        return min(low, self.value), max(high, self.value)

    def lower_bound(self, growth: Numbers = ONCE) -> Numbers:
        """Of a one-sided interval of 90 % after Clopper and Pearson, were there so many times [g] the answers."""
        if not np.isfinite(self.weight):
            return np.full(len(growth), self.value)
        weight = self.weight * growth
        right = np.maximum(self.mean * weight - _PRIOR, np.finfo(float).tiny)
        found: Numbers = betaincinv(right, (1 - self.mean) * weight + _PRIOR, 1 - CONFIDENCE)
        return found


def stand_for_all(strata: Integers, items: Integers, first_apart: bool) -> bool:
    """Whether answers say something of all items; those of a first stratum drawn apart tell nothing of the others.

    Args:
        strata: [m] the stratum of each answer.
        items, first_apart: as for `posterior`.
    """
    return bool(len(strata) and (strata.any() or not first_apart or not items[1:].any()))


def posterior(values: Numbers, strata: Integers, items: Integers, first_apart: bool) -> Posterior | None:
    """What m answers say of the mean over all items.

    Neighbouring strata are joined until each has eight answers: one or two tell nothing of how values vary.

    Args:
        values: [m] in [0, 1].
        strata: [m] the stratum of each.
        items: [H] of each stratum, those of the group that is asked about.
        first_apart: whether the first stratum was drawn of with another probability than the others, so that it may
            not be joined unless it has no answers at all.

    Returns:
        None without answers, and where all are of a first stratum that was drawn apart while others have items too.
    """
    if not stand_for_all(strata, items, first_apart):
        return None
    joined = _joined(np.bincount(strata, minlength=len(items)), first_apart)
    strata, sizes = joined[strata], np.bincount(joined, items)
    counts = np.bincount(strata).astype(float)
    sums, squares = np.bincount(strata, values), np.bincount(strata, values**2)
    shares = sizes / sizes.sum()
    prior = _PRIOR * shares
    weights = counts + 2 * prior
    means = (sums + prior) / weights
    spread = ((squares + prior) / weights - means**2) / weights
    variance = float((shares**2 * np.maximum(1 - counts / sizes, 0) * spread).sum())
    mean = float((shares * means).sum())
    weight = mean * (1 - mean) / variance - 1 if variance > 0 else np.inf
    return Posterior(float((shares * sums / counts).sum()), mean, max(weight, 2 * _PRIOR), len(values))


def _joined(answers: Integers, first_apart: bool) -> Integers:
    """To which of the joined strata [H] each belongs, by the answers [H] of each."""
    found = np.zeros(len(answers), dtype=np.int64)
    start = 1 if first_apart and answers[0] and answers[1:].any() else 0
    number, count = start, 0
    for stratum in range(start, len(answers)):
        found[stratum] = number
        count += answers[stratum]
        if count >= LEAST_JOINED:
            number, count = number + 1, 0
    if count == 0 or (count < LEAST_JOINED and number > start):  # too few are left for one more
        found[found == number] = max(number - 1, start)
    return found
