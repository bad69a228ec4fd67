"""What came of an adaptation, in words for somebody who has not read how it works."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.web.predictions import PredictionSummary
from app.web.templating import percent, signed

Fields = dict[str, Any]

_WORDS = {
    "improved": ("✓", "Adaptation seems to have helped", "All that can be checked without labels speaks for it."),
    "uncertain": ("?", "It is not clear whether adaptation helped", "What can be checked without labels does not say."),
    "harmful": ("✕", "Adaptation would have made it worse", "The checks that need no labels say so."),
}
_NOT_JUDGED = ("", "Whether adaptation helped was not judged", "")
_FEW = 0.02  # of the items: so few that changed help little, even if all are right now
_AUDITED = "People's answers to a review of this job say so."


@dataclass(frozen=True)
class Judgement:
    """The verdict and all that bears on it.

    Attributes:
        verdict: as the contract has it, or `none`.
        mark, heading, basis: what it is in words, and what it rests on.
        gain: what is estimated of it without labels.
        served: what answers, and how a program asks for the other variant.
        accuracy: what evaluation labels say.
        doubts: figures that contradict a verdict that says it helped.
        reasons: what was checked.
    """

    verdict: str
    mark: str
    heading: str
    basis: str
    gain: str | None
    served: str
    accuracy: str | None
    doubts: list[str]
    reasons: list[str]


def judgement_of(
    result: Fields, audits: Sequence[Fields] = (), predictions: PredictionSummary | None = None
) -> Judgement:
    """Return what a job's or a model's document says.

    Args:
        result: the document.
        audits: documents of its job's audits, newest first.
        predictions: of its job's items, if there are any.
    """
    mark, heading, basis = _WORDS.get(result["verdict"], _NOT_JUDGED)
    reasons = result["verdict_reasons"]
    if any(reason["code"] == "audited" for reason in reasons):
        basis = _AUDITED
    return Judgement(
        verdict=result["verdict"] or "none",
        mark=mark,
        heading=heading,
        basis=basis,
        gain=gain_in_words(result["estimated_gain"]),
        served=_served(result),
        accuracy=_accuracy(result["evaluation"]),
        doubts=_doubts(result, audits, predictions),
        reasons=[reason["message"] for reason in reasons],
    )


def gain_in_words(gain: dict[str, float] | None) -> str | None:
    """Return the estimated gain and its interval in a sentence; None where it was not estimated."""
    if gain is None:
        return None
    points, low, high = gain["points"], signed(gain["low"]), signed(gain["high"])
    more = "fewer" if points < 0 else "more"
    return (
        f"Of 100 items, {abs(points):.1f} {more} are estimated to get the right class than by the base model alone; "
        f"with a probability of 90 % the true gain lies between {low} and {high}. No labels went into this."
    )


def _served(result: Fields) -> str:
    method = result["method"]
    if method.get("type") == "zero-shot":
        return "Nothing was adapted: the base model is used as it is."
    kept = (method.get("type") == "pouf" and result["selected_step"] == 0) or (
        method.get("type") == "closed-form" and method.get("tune") == "none"
    )
    if kept:
        return "The base model was kept: it is used as it is."
    if result["fallback"]:
        return 'The base model is used as it is, unless a program asks for the other one ("variant": "adapted").'
    return 'The adapted model is used, unless a program asks for the base model alone ("variant": "zero_shot").'


def _accuracy(evaluation: Fields | None) -> str | None:
    if evaluation is None:
        return None
    low, high = evaluation["adapted_interval"]
    return (
        f"On the {evaluation['n']:,} items with labels, {percent(evaluation['zero_shot_accuracy'])} were right before, "
        f"and {percent(evaluation['adapted_accuracy'])} are right after adaptation ({percent(low)} to {percent(high)} "
        "with a confidence of 95 %). Labels were used for this alone."
    )


def _doubts(result: Fields, audits: Sequence[Fields], predictions: PredictionSummary | None) -> list[str]:
    if result["verdict"] != "improved":
        return []
    found = []
    if predictions is not None and predictions.changed <= _FEW * predictions.item_count:
        share = f"{predictions.changed or 'none'} of {predictions.item_count:,} items"
        found.append(f"It cannot have helped much here: {share} got another class.")
    evaluation = result["evaluation"]
    if evaluation is not None:
        gain = evaluation["adapted_accuracy"] - evaluation["zero_shot_accuracy"]
        found += _doubt("These labels do", gain, evaluation["adapted_interval"][1] > evaluation["zero_shot_accuracy"])
    measured = next((audit["estimate"]["difference"] for audit in audits if audit["estimate"]), None)
    if measured is not None:
        found += _doubt("What people found in the last review does", measured["value"], measured["interval"][1] > 0)
    return found


def _doubt(figures: str, gain: float, may_be_chance: bool) -> list[str]:
    """Return a sentence on figures by which nothing was gained."""
    if gain > 0:
        return []
    chance = "; the difference is small enough to be chance" if may_be_chance and gain < 0 else ""
    return [f"{figures} not confirm that it helped{chance}."]
