"""What the report says of the predictions of the job's items."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassCount:
    """How many items are of a class by the base model alone, and as they are served."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class ChangedItem:
    """An item that the adaptation gave another class; `text` and `text_pair` are the beginning of texts."""

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    before: str
    after: str
    probability: float


@dataclass(frozen=True)
class PredictionSummary:
    """The predictions of all items.

    Attributes:
        changed: items whose class is another than the base model's own.
        to_review: items that somebody should look at.
        counts: of every class that occurs, the most frequent first.
        most_changed: of these items, those first of which the base model and what is served are surest.
    """

    item_count: int
    changed: int
    to_review: int
    counts: list[ClassCount]
    most_changed: list[ChangedItem]
