"""A review of some items by people: how they were drawn, and what was measured by the answers."""

from __future__ import annotations

from typing import Literal

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.document import Document

AuditVerdict = Literal["improved", "uncertain", "harmful"]
AUDITED = "audited"
"""Code of the reason of a verdict that people's answers gave."""
Part = Literal["random", "suspected"]
"""Of an audit: drawn from all items, or from those that are most likely wrong."""


class Domain(Document):
    """How many items of each stratum have something in common, as far as is known without answers."""

    items: list[int]


class ThresholdDomain(Domain):
    """The items whose probability is at least a threshold."""

    threshold: float


class ClassDomain(Domain):
    """The items of which one class was predicted by what is served."""

    class_index: int


class AuditDesign(Document):
    """How items were drawn: in each stratum each item with the same probability.

    Attributes:
        served: the variant that predicted when the items were drawn.
        items: N_h of each stratum.
        drawn: n_h of each stratum; the inclusion probability of its items is n_h / N_h.
        suspected: whether the first stratum is that of the items that are most likely wrong.
        changed: items of each stratum whose class by the adapted variant is another than by zero-shot.
        classes: of every class that was predicted for a drawn item.
        thresholds: from the fewest answered to all.
    """

    served: VariantName
    items: list[int]
    drawn: list[int]
    suspected: bool
    changed: Domain
    classes: list[ClassDomain]
    thresholds: list[ThresholdDomain]

    def part_of(self, stratum: int) -> Part:
        """Which part the items of a stratum are."""
        return "suspected" if self.suspected and stratum == 0 else "random"


class Measured(Document):
    """An estimate over all items of a group by the answers to some of them.

    Attributes:
        value: the estimate: a share, or a difference of shares.
        interval: of 90 %.
        answers: how many it rests on.
    """

    value: float
    interval: tuple[float, float]
    answers: int


class ClassMeasured(Measured):
    """Of the items of which one class was predicted by what is served, the share that is right."""

    class_index: int


class MeasuredThreshold(Measured):
    """Accuracy of the items that a threshold answers.

    Attributes:
        threshold: the probability below which an item gets no class.
        answered: the share of all items that get one.
    """

    threshold: float
    answered: float


class AuditEstimate(Document):
    """What the answers say.

    Attributes:
        answers: items whose answer could be used.
        zero_shot, adapted: accuracy over all items of the dataset.
        difference: adapted less zero-shot, item by item.
        classes: of the classes with enough answers.
        wished_accuracy: what a threshold is to reach.
        threshold: the lowest threshold that reaches it by the lower end of a one-sided 90 % interval; None where none
            does.
        more_answers: about how many more answers would allow a threshold, should they be like those given; None where
            one is allowed, or where no number would do.
        verdict: what the difference says: an interval without zero is `improved` or `harmful`.
        served: the variant that should be served; where the verdict is `uncertain`, that of the design.
    """

    answers: int
    zero_shot: Measured
    adapted: Measured
    difference: Measured
    classes: list[ClassMeasured]
    wished_accuracy: float
    threshold: MeasuredThreshold | None
    more_answers: int | None
    verdict: AuditVerdict
    served: VariantName
