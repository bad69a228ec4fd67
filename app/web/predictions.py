"""What pages and reports say of the predictions of a job's items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

BINS = 20


@dataclass(frozen=True)
class ClassCount:
    """How many items are of a class by the base model alone, and as they are served."""

    name: str
    before: int
    after: int


class Guess(NamedTuple):
    """A class and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class ShownItem:
    """An item and its class by the base model alone and as it is served; `text` and `text_pair` are the beginning of
    texts.
    """

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    before: Guess
    after: Guess


@dataclass(frozen=True)
class PredictionSummary:
    """The predictions of all items.

    Attributes:
        dataset_id: whose items they are.
        changed: items whose class is another than the base model's own.
        to_review: items that somebody should look at.
        counts: of every class that occurs, the most frequent first.
        most_changed: of those that changed, those first of which the base model and what is served are surest.
        probabilities: items [BINS] by the probability of their class, in steps of 1 / BINS.
    """

    dataset_id: str
    item_count: int
    changed: int
    to_review: int
    counts: list[ClassCount]
    most_changed: list[ShownItem]
    probabilities: list[int]


class Mistake(NamedTuple):
    """How many items with one label got another class."""

    label: str
    given: str
    items: int


@dataclass(frozen=True)
class Confusion:
    """Labels against the classes that are served.

    Attributes:
        labelled: items whose label is a class.
        right: those of them that got it.
        names: of the classes in `table`, the most frequent labels first.
        table: items of each label (rows) by their class (columns); None where there are too many classes to be read.
        mistakes: the most frequent ones.
    """

    labelled: int
    right: int
    names: Sequence[str]
    table: list[list[int]] | None
    mistakes: list[Mistake]
