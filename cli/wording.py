"""Figures in words, for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pouf_core.contract.abstention import AnswerPoint


def gain_in_words(points: float, low: float, high: float) -> str:
    """An estimated gain in percentage points of accuracy, with its interval."""
    return f"{points:+.1f} points of accuracy, 90 % interval {low:+.1f} to {high:+.1f}"


def proposal_in_words(proposed: "AnswerPoint | None", wished_accuracy: float) -> str:
    """What the proposed threshold gives, as estimated without labels."""
    if proposed is None:
        return f"none; no threshold is estimated to reach an accuracy of {wished_accuracy:.1%}"
    given = (
        f"{proposed.answered:.1%} of the items would get a class, an estimated {proposed.accuracy:.1%} of them right"
    )
    return f"{proposed.threshold:.4g}; {given}"
