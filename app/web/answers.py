"""The report's picture of estimated accuracy against the share of items that get a class."""

import math
from dataclasses import dataclass
from typing import Any

LEFT, TOP, WIDTH, HEIGHT = 60, 12, 560, 200
_STEPS = 4


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in the coordinates of the picture, and what is written there."""

    at: float
    label: str


@dataclass(frozen=True)
class AnswerChart:
    """The curve of the served variant.

    Attributes:
        path: the curve, in the coordinates of the picture.
        across, up: what the axes say.
        proposed: where the proposed threshold lies, if any.
        all_answered: estimated accuracy where every item gets a class.
        rows: threshold, share answered and accuracy of every fourth point, most answered first.
        proposal: what the proposed threshold gives.
        wished_accuracy: what it is to reach.
    """

    path: str
    across: list[Tick]
    up: list[Tick]
    proposed: tuple[float, float] | None
    all_answered: float
    rows: list[dict[str, float]]
    proposal: dict[str, float] | None
    wished_accuracy: float


def answer_chart(job: dict[str, Any]) -> AnswerChart | None:
    """The chart of the job's document; None where there is no curve."""
    abstention = job.get("abstention")
    if abstention is None:
        return None
    curve = abstention[job["fallback"] or "adapted"]
    points, proposal = curve["points"], curve["proposed"]
    floor = min(math.floor(10 * min(point["accuracy"] for point in points)) / 10, 0.9)

    def place(point: dict[str, float]) -> tuple[float, float]:
        x = LEFT + WIDTH * point["answered"]
        y = TOP + HEIGHT * (1 - (point["accuracy"] - floor) / (1 - floor))
        return round(x, 1), round(y, 1)

    shares = [step / _STEPS for step in range(_STEPS + 1)]
    return AnswerChart(
        path=" ".join(f"{x},{y}" for x, y in map(place, points)),
        across=[Tick(LEFT + WIDTH * share, f"{share:.0%}") for share in shares],
        up=[Tick(TOP + HEIGHT * (1 - share), f"{floor + (1 - floor) * share:.1%}") for share in shares],
        proposed=None if proposal is None else place(proposal),
        all_answered=points[-1]["accuracy"],
        rows=points[::-1][::4],
        proposal=proposal,
        wished_accuracy=abstention["wished_accuracy"],
    )
