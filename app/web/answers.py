"""How many items get a class from which threshold on, and how many of those are estimated to be right."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from app.web.charts import curve, share_axis
from app.web.templating import percent

_TITLE = "Estimated accuracy against the share of the items that get a class"
_LOWEST = 0.9  # the axis of accuracy begins here at most


@dataclass(frozen=True)
class Answers:
    """What thresholds give, by the variant that is served.

    Attributes:
        points: threshold, share answered and estimated accuracy, from all answered to the fewest; what is proposed is
            one of them.
        place: of the point that is looked at.
        proposed: what is proposed, in a sentence.
        chart: the curve, with that point.
    """

    points: list[dict[str, float]]
    place: int
    proposed: str
    chart: Markup

    @property
    def point(self) -> dict[str, float]:
        """The point that is looked at."""
        return self.points[self.place]


def answers_of(result: dict[str, Any], place: int | None = None) -> Answers | None:
    """Return what a job's or a model's document says; None where it was not estimated.

    Args:
        result: the document.
        place: of the point that is looked at; None for the proposed one, else that which gives every item a class.
    """
    abstention = result.get("abstention")
    if abstention is None:
        return None
    found = abstention[result["fallback"] or "adapted"]
    points, proposal = found["points"], found["proposed"]
    if proposal is not None and proposal not in points:  # which may answer fewer than any of them
        points = [*points, proposal]
    points = sorted(points, key=lambda point: point["answered"], reverse=True)
    if place is None:
        place = 0 if proposal is None else points.index(proposal)
    place = min(place, len(points) - 1)
    drawn = tuple((point["answered"], point["accuracy"]) for point in points)
    return Answers(points, place, _proposed(proposal, abstention["wished_accuracy"]), _chart(drawn, place))


@lru_cache(maxsize=512)
def _chart(points: tuple[tuple[float, float], ...], place: int) -> Markup:
    floor = min(math.floor(10 * min(accuracy for _, accuracy in points)) / 10, _LOWEST)
    across, up = share_axis("share of the items that get a class"), share_axis("estimated accuracy", floor)
    return curve(_TITLE, across, up, points, dot=points[place])


def _proposed(proposal: dict[str, float] | None, wished: float) -> str:
    if proposal is None:
        return f"No threshold is proposed: none is estimated to reach the wished accuracy of {percent(wished)}."
    if proposal["threshold"] == 0:
        return f"No threshold is needed for the wished accuracy of {percent(wished)}."
    return (
        f"Proposed is a threshold of {proposal['threshold']:.4g}: {percent(proposal['answered'])} of the items would "
        f"get a class, and an estimated {percent(proposal['accuracy'])} of those would be right ({percent(wished)} are "
        "wished for)."
    )
