"""Abstention: below which probability an item gets no class, and what that is estimated to give."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from pouf_core.contract.document import Document
from pouf_core.errors import InvalidInput

ThresholdNumber = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Threshold = ThresholdNumber | Literal["auto"]
"""A probability below which an item gets no class; `auto` is the proposed one."""
WISHED_ACCURACY = 0.95
VariantName = Literal["adapted", "zero_shot"]


class AnswerPoint(Document):
    """What a threshold gives, estimated without labels.

    Attributes:
        threshold: the probability below which an item gets no class.
        answered: share of the items that get one.
        accuracy: estimated share of those that get the right one.
    """

    threshold: FiniteFloat
    answered: float
    accuracy: float


class AnswerCurve(Document):
    """Accuracy against share answered.

    Attributes:
        points: from the fewest answered to all.
        proposed: the smallest threshold at which the wished accuracy is reached; None where none reaches it.
    """

    points: list[AnswerPoint]
    proposed: AnswerPoint | None


class Abstention(Document):
    """The curves of both variants.

    Attributes:
        wished_accuracy: what the proposed thresholds are to reach.
        adapted, zero_shot: the curve of that variant.
    """

    wished_accuracy: float
    adapted: AnswerCurve
    zero_shot: AnswerCurve


def served_threshold(threshold: Threshold | None, curve: AnswerCurve | None) -> float:
    """The probability below which an item gets no class; 0 where every item gets one.

    Args:
        threshold: what was asked for with the adaptation.
        curve: of the variant that is served; None where it was not estimated.
    """
    if threshold != "auto":
        return float(threshold or 0.0)
    proposed = None if curve is None else curve.proposed
    return 0.0 if proposed is None else proposed.threshold


def accepting_threshold(threshold: Threshold | None, curve: AnswerCurve | None) -> float | None:
    """The probability from which an item needs no review: what was asked for, else what is proposed.

    None, and every item needs one, where no threshold is expected to reach the wished accuracy; 0 where that was not
    estimated. Arguments as for `served_threshold`.
    """
    if threshold is not None and threshold != "auto":
        return float(threshold)
    if curve is None:
        return 0.0
    return None if curve.proposed is None else curve.proposed.threshold


def check_threshold(threshold: float | str | None) -> None:
    """Refuse what is neither a probability nor `auto`.

    Raises:
        InvalidInput: `invalid_threshold`.
    """
    if threshold is None or threshold == "auto":
        return
    if isinstance(threshold, str) or not 0 <= threshold <= 1:
        message = "A threshold is a probability, from 0 to 1, or `auto` for the proposed one."
        raise InvalidInput("invalid_threshold", message, field="/threshold")
