"""Which of two jobs people's answers find right more often."""

import numpy as np

from app.audits import queries as audits
from app.audits.estimates import Reviewed
from app.audits.service import Found
from app.audits.showing import class_names_of
from app.caller import Caller
from app.comparisons.schemas import ComparisonByAnswersDocument
from app.jobs import service as jobs
from pouf_core.audit.comparison import compare_by_answers
from pouf_core.audit.estimation import NONE_OF_THESE
from pouf_core.predictions.stored import Integers, StoredPredictions

MOST_AUDITS = 20


def by_answers(
    caller: Caller,
    job_ids: tuple[str, str],
    stored: StoredPredictions,
    names: list[str],
    labels: tuple[Integers, Integers],
) -> ComparisonByAnswersDocument | None:
    """Return what the answers to one audit say: of those of either job, the one with most answers.

    Args:
        caller: who asks.
        job_ids: of the compared jobs.
        stored: predictions of the n items by one of the jobs, which say where an item is.
        names: the classes of both jobs.
        labels: by each job [n] places among the names.
    """
    found = _most_answered(caller, job_ids)
    if found is None:
        return None
    reviewed, classes = found
    places = stored.find([item.sha256 for item in reviewed.items]).tolist()
    truth, strata, where = [], [], []
    for item, place in zip(reviewed.items, places, strict=True):
        answer = reviewed.outcomes[item.position][1]
        if answer is not None and place >= 0:
            truth.append(NONE_OF_THESE if answer == NONE_OF_THESE else names.index(classes[answer]))
            strata.append(item.stratum)
            where.append(place)
    first, second = (one[where] for one in labels)
    compared = compare_by_answers(reviewed.design, np.array(strata), np.array(truth), first, second)
    if compared is None:
        return None
    return ComparisonByAnswersDocument(
        audit_id=reviewed.audit.id,
        answers=len(truth),
        accuracies=compared.accuracies,
        difference=compared.difference,
    )


def _most_answered(caller: Caller, job_ids: tuple[str, str]) -> tuple[Reviewed, list[str]] | None:
    """The audit with the classes of its job; None where nobody has answered."""
    candidates = []
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        for job in (jobs.get(scope, job_id) for job_id in job_ids):
            for audit in audits.list_audits(scope, job.id, None, MOST_AUDITS):
                candidates.append((Found(scope, job, audit).reviewed(), class_names_of(job)))
    best = max(candidates, key=lambda one: one[0].counts["answered"] + one[0].counts["none_of_these"], default=None)
    return best if best and best[0].people else None
