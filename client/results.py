"""What an adaptation came to, as typed values."""

from dataclasses import dataclass
from typing import Any

#: A JSON object as the service sent it, or takes it.
Document = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy on the items that had evaluation labels: fractions, with 95 % intervals."""

    n: int
    zero_shot_accuracy: float
    adapted_accuracy: float
    zero_shot_interval: tuple[float, float]
    adapted_interval: tuple[float, float]
    unmatched: int

    @classmethod
    def of(cls, raw: Document) -> "Evaluation":
        low, high = raw["zero_shot_interval"]
        adapted_low, adapted_high = raw["adapted_interval"]
        return cls(
            n=raw["n"],
            zero_shot_accuracy=raw["zero_shot_accuracy"],
            adapted_accuracy=raw["adapted_accuracy"],
            zero_shot_interval=(low, high),
            adapted_interval=(adapted_low, adapted_high),
            unmatched=raw.get("unmatched", 0),
        )


@dataclass(frozen=True)
class EstimatedGain:
    """Percentage points of accuracy over zero-shot, told without labels, with a 90 % interval from `low` to `high`."""

    points: float
    low: float
    high: float

    @classmethod
    def of(cls, raw: Document) -> "EstimatedGain":
        return cls(raw["points"], raw["low"], raw["high"])


@dataclass(frozen=True)
class Note:
    """A finding: `code` for programs, `message` for people."""

    code: str
    message: str

    @classmethod
    def each(cls, raw: list[Document] | None) -> "list[Note]":
        return [cls(finding["code"], finding["message"]) for finding in raw or []]
