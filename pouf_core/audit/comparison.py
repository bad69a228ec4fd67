"""Two classifiers over the same items: where they agree, and which is right more often, as far as there are labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pouf_core.audit.frame import Booleans, Integers, Numbers
from pouf_core.audit.intervals import posterior, stand_for_all
from pouf_core.audit.share_interval import CONFIDENCE, share_interval
from pouf_core.contract.audit import AuditDesign, Measured

UNLABELLED = -1
_POPULATION = np.array([2**62])  # labelled items stand for all that might have been labelled


@dataclass(frozen=True)
class Share:
    """A share of items with its 95 % interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """What two classifiers say of n items.

    Attributes:
        agree: whether [n] both give the same class.
        labelled: items with a label that both could give.
        accuracies: of both on these, with Wilson intervals; None without any.
        difference: the second's less the first's, in shares, with the interval of paired values; None without any.
    """

    agree: Booleans
    labelled: int
    accuracies: tuple[Share, Share] | None
    difference: Share | None


def compare(first: Integers, second: Integers, truth: Integers) -> Comparison:
    """Compare two classifiers.

    Args:
        first, second: [n] classes, as places in one list of names.
        truth: [n] likewise; `UNLABELLED` where nothing is known.
    """
    known = truth != UNLABELLED
    labelled = int(known.sum())
    if not labelled:
        return Comparison(first == second, 0, None, None)
    right = [(labels[known] == truth[known]).astype(float) for labels in (first, second)]
    accuracies = _share(right[0]), _share(right[1])
    return Comparison(first == second, labelled, accuracies, _paired(right[1] - right[0]))


@dataclass(frozen=True)
class ByAnswers:
    """Two classifiers by people's answers: accuracy of each over all items, the second's less the first's."""

    accuracies: tuple[Measured, Measured]
    difference: Measured


def compare_by_answers(
    design: AuditDesign, strata: Integers, truth: Integers, first: Integers, second: Integers
) -> ByAnswers | None:
    """Compare by the m answers to an audit, each of which stands for the items that it was drawn from.

    Args:
        design: of the audit.
        strata: [m] of the design.
        truth: [m] the class that people gave; one that no classifier gives is wrong for both.
        first, second: [m] classes, as places in one list of names.

    Returns:
        None without answers, or with none but of the suspected items, and where nothing was drawn of some stratum.
    """
    items = np.array(design.items)
    if min(design.drawn) == 0 or not stand_for_all(strata, items, design.suspected):
        return None

    def measured(values: Numbers, scale: float = 1.0, shift: float = 0.0) -> Measured:
        found = posterior(values, strata, items, design.suspected)
        assert found is not None  # the answers stand for all items
        low, high = (scale * end + shift for end in found.interval)
        return Measured(value=scale * found.value + shift, interval=(low, high), answers=found.answers)

    right = [(labels == truth).astype(float) for labels in (first, second)]
    return ByAnswers((measured(right[0]), measured(right[1])), measured((right[1] - right[0] + 1) / 2, 2.0, -1.0))


def _share(right: Numbers) -> Share:
    return Share(float(right.mean()), share_interval(int(right.sum()), len(right)))


def _paired(gains: Numbers) -> Share:
    """The mean of values in {-1, 0, 1} [m]: items that both get right, or both wrong, say that they differ little."""
    found = posterior((gains + 1) / 2, np.zeros(len(gains), dtype=np.int64), _POPULATION, False)
    assert found is not None
    low, high = (2 * found.quantile(level) - 1 for level in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Share(float(gains.mean()), (low, high))
