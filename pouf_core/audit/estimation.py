"""What answers to the drawn items say of all items: accuracies, their difference, and the threshold they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pouf_core.audit.frame import Booleans, Integers, Numbers
from pouf_core.audit.intervals import Posterior, posterior, stand_for_all
from pouf_core.contract.audit import (
    AuditDesign,
    AuditEstimate,
    AuditVerdict,
    ClassMeasured,
    Domain,
    Measured,
    MeasuredThreshold,
    ThresholdDomain,
)

NONE_OF_THESE = -1
LEAST_ANSWERS_OF_CLASS = 8
_MOST_GROWTH, _GROWTHS = 64.0, 64


@dataclass(frozen=True)
class Answered:
    """The m drawn items that have an answer; those that nobody can tell are left out.

    Attributes:
        strata: [m] of `AuditDesign`.
        truth: [m] the class that people gave; `NONE_OF_THESE` is no class, and every prediction is wrong.
        adapted, zero_shot: [m] predicted classes.
        probability: [m] of the served class.
    """

    strata: Integers
    truth: Integers
    adapted: Integers
    zero_shot: Integers
    probability: Numbers


def estimate(design: AuditDesign, answered: Answered, wished_accuracy: float) -> AuditEstimate | None:
    """Estimate by the answers.

    Args:
        design: of the audit.
        answered: m answers.
        wished_accuracy: of the items that a threshold answers, in (0, 1].

    Returns:
        None while there are no answers, or none but of the suspected items, and where nothing was drawn of some
        stratum, so that answers say nothing of it.
    """
    if min(design.drawn) == 0 or not stand_for_all(answered.strata, np.array(design.items), design.suspected):
        return None
    return _Estimation(design, answered).estimate(wished_accuracy)


class _Estimation:
    def __init__(self, design: AuditDesign, answered: Answered) -> None:
        self._design, self._answered = design, answered
        self._whole = Domain(items=design.items)
        self._served = answered.adapted if design.served == "adapted" else answered.zero_shot
        self._right = (self._served == answered.truth).astype(float)

    def estimate(self, wished: float) -> AuditEstimate:
        """See the function of that name."""
        everything = np.ones(len(self._right), dtype=bool)
        accuracies = {
            name: _measured(self._mean(self._whole, everything, (labels == self._answered.truth).astype(float)))
            for name, labels in (("zero_shot", self._answered.zero_shot), ("adapted", self._answered.adapted))
        }
        difference = self._difference()
        threshold, more = self._threshold(wished)
        return AuditEstimate(
            answers=len(self._right),
            difference=difference,
            classes=self._classes(),
            wished_accuracy=wished,
            threshold=threshold,
            more_answers=more,
            **_conclusion(difference, self._design),
            **accuracies,
        )

    def _mean(self, domain: Domain, members: Booleans, values: Numbers) -> Posterior | None:
        return posterior(
            values[members], self._answered.strata[members], np.array(domain.items), self._design.suspected
        )

    def _difference(self) -> Measured:
        """Only items whose class was changed differ, and how many these are is known."""
        answered = self._answered
        changed = answered.adapted != answered.zero_shot
        share = sum(self._design.changed.items) / sum(self._design.items)
        gains = (answered.adapted == answered.truth).astype(float) - (answered.zero_shot == answered.truth)
        found = self._mean(self._design.changed, changed, (gains + 1) / 2)
        if found is None:
            return Measured(value=0.0, interval=(-share, share), answers=len(gains))
        low, high = (share * (2 * end - 1) for end in found.interval)
        return Measured(value=share * (2 * found.value - 1), interval=(low, high), answers=len(gains))

    def _classes(self) -> list[ClassMeasured]:
        measured = []
        for domain in self._design.classes:
            members = self._served == domain.class_index
            found = self._mean(domain, members, self._right)
            if found is not None and found.answers >= LEAST_ANSWERS_OF_CLASS:
                measured.append(ClassMeasured(class_index=domain.class_index, **_fields(found)))
        return measured

    def _threshold(self, wished: float) -> tuple[MeasuredThreshold | None, int | None]:
        """The lowest threshold that is allowed, and how many more answers would allow one where none is.

        The groups of items that thresholds answer contain each other, so that their tests err together: the chance that
        any wrong one is allowed stays near that of one test (`benchmarks/audits.py`).
        """
        allowed: MeasuredThreshold | None = None
        tested: list[Posterior] = []
        for domain in self._design.thresholds:
            found = self._mean(domain, self._answered.probability >= domain.threshold, self._right)
            if found is None:
                continue
            tested.append(found)
            if found.lower_bound()[0] >= wished:
                allowed = self._measured_threshold(domain, found)
        return allowed, None if allowed else self._more_answers(tested, wished)

    def _measured_threshold(self, domain: ThresholdDomain, found: Posterior) -> MeasuredThreshold:
        answered = sum(domain.items) / sum(self._design.items)
        return MeasuredThreshold(threshold=domain.threshold, answered=answered, **_fields(found))

    def _more_answers(self, tested: Sequence[Posterior], wished: float) -> int | None:
        """By the threshold that needs the fewest."""
        growth = min((_growth_needed(found, wished) for found in tested), default=np.inf)
        return None if growth > _MOST_GROWTH else int(np.ceil((growth - 1) * len(self._right)))


def _growth_needed(found: Posterior, wished: float) -> float:
    """How many times the answers would do; infinite where the estimate itself is too low, or too much is needed."""
    if found.mean <= wished:
        return np.inf
    growths = np.geomspace(1, _MOST_GROWTH, _GROWTHS)
    enough = found.lower_bound(growths) >= wished
    return float(growths[np.argmax(enough)]) if enough.any() else np.inf


def _conclusion(difference: Measured, design: AuditDesign) -> dict[str, Any]:
    low, high = difference.interval
    verdict: AuditVerdict = "improved" if low > 0 else "harmful" if high < 0 else "uncertain"
    served = {"improved": "adapted", "harmful": "zero_shot", "uncertain": design.served}[verdict]
    return {"verdict": verdict, "served": served}


def _measured(found: Posterior | None) -> Measured:
    assert found is not None  # the answers stand for all items
    return Measured(**_fields(found))


def _fields(found: Posterior) -> dict[str, Any]:
    return {"value": found.value, "interval": found.interval, "answers": found.answers}
