"""Two jobs over the same items: where their models agree, and which is right more often."""

from dataclasses import dataclass

import numpy as np

from app.caller import Caller
from app.comparisons.estimates import by_answers
from app.comparisons.schemas import (
    ComparedJobDocument,
    ComparedLabelDocument,
    ComparisonQuery,
    DifferingItemDocument,
    JobComparisonDocument,
)
from app.http.errors import invalid
from app.http.query_parameters import decode_number, encode_cursor
from app.jobs.predictions import predictions_of
from app.predicted import queries as items
from app.predicted.service import Predictions, read
from pouf_core.audit.comparison import UNLABELLED, Comparison, Share, compare
from pouf_core.contract.classes import match_labels, parse_class_names
from pouf_core.predictions.stored import Integers, StoredPredictions
from store.dataset_items import labels_of


@dataclass(frozen=True)
class _Compared:
    """The predictions of two jobs over n items, and what was found.

    Attributes:
        labels: of each job, [n] places in `names`, which has the classes of both.
    """

    predictions: tuple[Predictions, Predictions]
    stored: tuple[StoredPredictions, StoredPredictions]
    names: list[str]
    labels: tuple[Integers, Integers]
    found: Comparison


def compare_jobs(caller: Caller, query: ComparisonQuery) -> JobComparisonDocument:
    """Return the comparison, with a page of the items on which they differ, those first of which both are surest.

    Raises 422 ``two_jobs_needed`` or ``different_datasets``, or as `predictions_of`.
    """
    compared = _compared(caller, query.jobs.split(","))
    stored, found = compared.stored, compared.found
    differing = np.flatnonzero(~found.agree)
    sureness = np.minimum(*(one.records["probability"][differing] for one in stored))
    ordered = differing[np.argsort(-sureness, kind="stable")]
    start = decode_number(query.cursor) or 0
    stop = start + query.limit
    first, second = compared.predictions
    accuracies = found.accuracies or (None, None)
    return JobComparisonDocument(
        object="job_comparison",
        dataset_id=first.dataset_id,
        item_count=len(stored[0]),
        agreement=float(found.agree.mean()),
        differing_count=len(ordered),
        labelled_count=found.labelled,
        jobs=[_show_job(*each) for each in zip((first, second), accuracies, strict=True)],
        difference=None if found.difference is None else found.difference.value,
        difference_interval=None if found.difference is None else found.difference.interval,
        by_answers=by_answers(caller, (first.name, second.name), stored[0], compared.names, compared.labels),
        differing=_show_items(caller, compared, ordered[start:stop]),
        has_more=stop < len(ordered),
        next_cursor=encode_cursor(stop) if stop < len(ordered) else None,
    )


def _compared(caller: Caller, ids: list[str]) -> _Compared:
    if len(set(ids)) != 2 or len(ids) != 2:
        raise invalid("two_jobs_needed", "Name two jobs, as in `jobs=job_…,job_…`.", "/query/jobs")
    first, second = (predictions_of(caller, job_id.strip()) for job_id in ids)
    stored = read(caller, first), read(caller, second)
    if first.dataset_id != second.dataset_id and not _are_same_items(*stored):
        message = f"Job {first.name} is over dataset {first.dataset_id} and job {second.name} over {second.dataset_id}."
        raise invalid("different_datasets", f"{message} They hold different items.", "/query/jobs")
    classes = [one.header.class_names for one in stored]
    names = list(dict.fromkeys([*classes[0], *classes[1]]))
    place = {name: index for index, name in enumerate(names)}
    labels = tuple(
        np.array([place[name] for name in own])[one.records["label"]] for own, one in zip(classes, stored, strict=True)
    )
    shared = {place[name] for name in set(classes[0]) & set(classes[1])}
    truth = _truth(caller, (second.dataset_id, first.dataset_id), stored[0], names, shared)
    return _Compared((first, second), stored, names, (labels[0], labels[1]), compare(labels[0], labels[1], truth))


def _are_same_items(first: StoredPredictions, second: StoredPredictions) -> bool:
    return np.array_equal(first.records["sha256"], second.records["sha256"])


def _truth(
    caller: Caller, dataset_ids: tuple[str, str], stored: StoredPredictions, names: list[str], shared: set[int]
) -> Integers:
    """The places [n] of the evaluation labels among the names, those that both jobs could give.

    Of an item that two datasets label the last one counts.
    """
    labels: dict[str, str] = {}
    with caller.state.database.read() as session:
        for dataset_id in dict.fromkeys(dataset_ids):
            labels |= labels_of(session, dataset_id)
    truth = np.full(len(stored), UNLABELLED)
    if not labels:
        return truth
    matched = match_labels(labels.values(), parse_class_names(names))
    meant = np.array([matched.get(label, UNLABELLED) for label in labels.values()])
    meant[~np.isin(meant, list(shared))] = UNLABELLED
    places = stored.find(list(labels))
    truth[places[places >= 0]] = meant[places >= 0]
    return truth


def _show_job(predictions: Predictions, accuracy: Share | None) -> ComparedJobDocument:
    return ComparedJobDocument(
        id=predictions.name,
        model_id=predictions.model_id,
        model_deleted=predictions.model_deleted,
        accuracy=None if accuracy is None else accuracy.value,
        interval=None if accuracy is None else accuracy.interval,
    )


def _show_items(caller: Caller, compared: _Compared, places: Integers) -> list[DifferingItemDocument]:
    chosen = [one.rows(places) for one in compared.stored]
    hashes = chosen[0].hashes
    with caller.state.database.read() as session:
        found = items.items_by_content(session, compared.predictions[0].dataset_id, hashes)
    shown = []
    for index, (place, sha256) in enumerate(zip(places.tolist(), hashes, strict=True)):
        item = found.get(sha256)
        if item is None:  # the dataset has just been deleted
            continue
        predictions = [
            ComparedLabelDocument(
                label=compared.names[labels[place]], probability=float(one.records["probability"][index])
            )
            for labels, one in zip(compared.labels, chosen, strict=True)
        ]
        shown.append(
            DifferingItemDocument(
                name=item.name, sha256=sha256, text=item.text, text_pair=item.text_pair, predictions=predictions
            )
        )
    return shown
