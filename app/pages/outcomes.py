"""What a job's model predicts of its dataset, in numbers and examples."""

from dataclasses import dataclass

import numpy as np

from app.caller import Caller
from app.predicted import queries
from app.predicted.queries import NamedItem
from app.predicted.service import Predictions, read

EXAMPLES = 12
#: How wide the longest bar is, in the units of its picture.
BAR = 100.0


@dataclass(frozen=True)
class ClassCount:
    """Items of one class, by the base model's own classifier and by the one that is served, with their bars' widths."""

    name: str
    before: int
    after: int
    before_width: float
    after_width: float


@dataclass(frozen=True)
class Change:
    """An item that got another class than the base model gave it; `probability` is that of the new one."""

    item: NamedItem
    before: str
    after: str
    probability: float


@dataclass(frozen=True)
class Outcome:
    """Predictions of n items.

    Attributes:
        classes: in order of what is served most.
        changed: how many items got another class.
        unanswered: how many are below the threshold.
        to_review: how many a person should look at.
        changes: examples, surest first.
    """

    n: int
    classes: list[ClassCount]
    changed: int
    unanswered: int
    to_review: int
    changes: list[Change]


def outcome_of(caller: Caller, predictions: Predictions) -> Outcome:
    """Return what is predicted; raises 500 ``predictions_missing``."""
    stored = read(caller, predictions)
    names = stored.header.class_names
    before, after = stored.counts()
    highest = max(int(before.max()), int(after.max()), 1)
    classes = [
        ClassCount(names[k], int(before[k]), int(after[k]), BAR * before[k] / highest, BAR * after[k] / highest)
        for k in np.argsort(-after, kind="stable").tolist()
    ]
    changed = np.flatnonzero(stored.changed)
    surest = stored.rows(changed[np.argsort(-stored.records["probability"][changed], kind="stable")[:EXAMPLES]])
    hashes = [digest.tobytes().hex() for digest in surest.records["sha256"]]
    with caller.state.database.read() as session:
        items = queries.items_by_content(session, predictions.dataset_id, hashes)
    changes = [
        Change(items[sha256], names[record["zero_shot_label"]], names[record["label"]], float(record["probability"]))
        for sha256, record in zip(hashes, surest.records, strict=True)
        if sha256 in items
    ]
    unanswered, unsure = int((~stored.answered).sum()), int((~stored.accepted).sum())
    return Outcome(len(stored), classes, len(changed), unanswered, unsure, changes)
