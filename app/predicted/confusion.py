"""Evaluation labels against the classes that were predicted."""

from collections import Counter

import numpy as np

from app.caller import Caller
from app.predicted.service import Predictions, read
from app.web.predictions import Confusion, Mistake
from pouf_core.contract.classes import ClassName, match_labels
from store.dataset_items import labels_of

MOST_IN_TABLE = 12
MOST_MISTAKES = 15


def confusion_of(caller: Caller, predictions: Predictions) -> Confusion | None:
    """Return what the dataset's labels say of predictions; None where no item has one that is a class.

    Raises 500 ``predictions_missing``.
    """
    stored = read(caller, predictions)
    with caller.state.database.read() as session:
        labelled = labels_of(session, predictions.dataset_id)
    names = stored.header.class_names
    means = match_labels(set(labelled.values()), [ClassName(name=name) for name in names])
    known = [(sha256, means[label]) for sha256, label in labelled.items() if label in means]
    if not known:
        return None
    places = stored.find([sha256 for sha256, _ in known])
    found = places >= 0
    labels = np.array([label for _, label in known])[found]
    given = stored.records["label"][places[found]]
    pairs = Counter(zip(labels.tolist(), given.tolist(), strict=True))
    shown = [place for place, _ in Counter(labels.tolist()).most_common()]
    shown += sorted(set(given.tolist()) - set(shown))
    readable = len(shown) <= MOST_IN_TABLE
    wrong = [(pair, count) for pair, count in pairs.most_common() if pair[0] != pair[1]]
    return Confusion(
        labelled=len(labels),
        right=int((labels == given).sum()),
        names=[names[place] for place in shown],
        table=[[pairs[label, other] for other in shown] for label in shown] if readable else None,
        mistakes=[Mistake(names[label], names[other], count) for (label, other), count in wrong[:MOST_MISTAKES]],
    )
