"""What an adaptation came to, as typed values."""

from dataclasses import dataclass
from typing import Any, TypedDict

#: A JSON object as the service sent it, or takes it.
Document = dict[str, Any]


class CodedMessage(TypedDict):
    """Why something failed, or what to know of it: `code` for programs, `message` for people."""

    code: str
    message: str


def stated(fields: Document) -> Document:
    """The fields that say something: those that are None are left to the service."""
    return {name: value for name, value in fields.items() if value is not None}


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
class AnswerPoint:
    """What a threshold gives: share of the items that get a class, and of those the estimated share of right ones."""

    threshold: float
    answered: float
    accuracy: float

    @classmethod
    def of(cls, raw: Document) -> "AnswerPoint":
        return cls(raw["threshold"], raw["answered"], raw["accuracy"])


@dataclass(frozen=True)
class AnswerCurve:
    """Estimated accuracy against share answered, and the point where the wished accuracy is reached, if any."""

    points: list[AnswerPoint]
    proposed: AnswerPoint | None

    @classmethod
    def of(cls, raw: Document) -> "AnswerCurve":
        proposed = raw["proposed"]
        return cls([AnswerPoint.of(point) for point in raw["points"]], AnswerPoint.of(proposed) if proposed else None)


@dataclass(frozen=True)
class Abstention:
    """The curve of each variant."""

    wished_accuracy: float
    adapted: AnswerCurve
    zero_shot: AnswerCurve

    @classmethod
    def of(cls, raw: Document) -> "Abstention":
        return cls(raw["wished_accuracy"], AnswerCurve.of(raw["adapted"]), AnswerCurve.of(raw["zero_shot"]))


@dataclass(frozen=True)
class Note:
    """A finding: `code` for programs, `message` for people."""

    code: str
    message: str

    @classmethod
    def each(cls, raw: list[Document] | None) -> "list[Note]":
        return [cls(finding["code"], finding["message"]) for finding in raw or []]
