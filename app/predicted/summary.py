"""The predictions of a dataset in a few numbers and items."""

from collections.abc import Sequence

import numpy as np

from app.caller import Caller
from app.predicted import queries
from app.predicted.service import Predictions, read
from app.web.predictions import BINS, ClassCount, Guess, PredictionSummary, ShownItem
from pouf_core.predictions.stored import StoredPredictions

MOST_ITEMS = 20
EXAMPLES = 12
TEXT_CHARACTERS = 120


def summarize(caller: Caller, predictions: Predictions) -> PredictionSummary:
    """Return what a report or a page shows of predictions; raises 500 ``predictions_missing``."""
    stored = read(caller, predictions)
    names = stored.header.class_names
    before, after = stored.counts()
    ordered = sorted(np.flatnonzero(before + after).tolist(), key=lambda place: int(after[place]), reverse=True)
    steps = np.minimum((stored.records["probability"] * BINS).astype(np.intp), BINS - 1)
    return PredictionSummary(
        dataset_id=predictions.dataset_id,
        item_count=len(stored),
        changed=int(stored.changed.sum()),
        to_review=len(stored) - int(stored.accepted.sum()),
        counts=[ClassCount(names[place], int(before[place]), int(after[place])) for place in ordered],
        most_changed=show_items(caller, predictions, _most_changed(stored)),
        probabilities=np.bincount(steps, minlength=BINS).tolist(),
    )


def examples_of(caller: Caller, predictions: Predictions) -> list[ShownItem]:
    """Return some items drawn at random: the first by content hash; raises 500 ``predictions_missing``."""
    return show_items(caller, predictions, read(caller, predictions).rows(slice(EXAMPLES)))


def show_items(caller: Caller, predictions: Predictions, chosen: StoredPredictions) -> list[ShownItem]:
    """Return some items in the order of their predictions, those that are still there."""
    hashes = chosen.hashes
    with caller.state.database.read() as session:
        items = queries.items_by_content(session, predictions.dataset_id, hashes)
    return [
        ShownItem(
            items[sha256].name,
            sha256,
            (items[sha256].text or "")[:TEXT_CHARACTERS] or None,
            (items[sha256].text_pair or "")[:TEXT_CHARACTERS] or None,
            _guess(chosen.header.class_names, record, "zero_shot_"),
            _guess(chosen.header.class_names, record, ""),
        )
        for sha256, record in zip(hashes, chosen.records, strict=True)
        if sha256 in items
    ]


def _guess(names: Sequence[str], record: np.void, variant: str) -> Guess:
    return Guess(names[record[f"{variant}label"]], float(record[f"{variant}probability"]))


def _most_changed(stored: StoredPredictions) -> StoredPredictions:
    changed = np.flatnonzero(stored.changed)
    sureness = np.minimum(stored.records["probability"][changed], stored.records["zero_shot_probability"][changed])
    if len(changed) > MOST_ITEMS:  # all of them take long to be sorted
        least = np.partition(sureness, -MOST_ITEMS)[-MOST_ITEMS]
        changed, sureness = changed[sureness >= least], sureness[sureness >= least]
    return stored.rows(changed[np.argsort(-sureness, kind="stable")][:MOST_ITEMS])
