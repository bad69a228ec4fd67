"""Where the predictions of a job's items are."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from app.caller import Caller
from app.http.errors import ApiError, conflict
from app.jobs.service import get
from app.predicted.confusion import confusion_of
from app.predicted.service import AuditedThreshold, Predictions, read
from app.predicted.summary import examples_of, summarize
from app.web.predictions import Confusion, PredictionSummary, ShownItem
from store.tables import AdaptedModel, Job
from store.transitions import FINAL

T = TypeVar("T")


def predictions_of(caller: Caller, job_id: str) -> Predictions:
    """Return where the predictions of the job's dataset are.

    Raises 409 ``job_not_finished`` as long as there may be some, and 404 ``predictions_not_found`` where there are
    none: the job came to no model, the dataset was deleted, or an older version ran the job.
    """
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        job = get(scope, job_id)
        model = None if job.model_id is None else scope.get(AdaptedModel, job.model_id)
    if job.status not in FINAL:
        raise conflict("job_not_finished", f"The job is {job.status}; its predictions come with its end.", retry=True)
    if job.predictions_key is None:
        raise ApiError(404, "predictions_not_found", f"There are no predictions of job {job_id}.{_instead(job)}")
    served, audited = job.result.fallback or "adapted", None
    if model is not None and model.audited_threshold is not None:
        audited = AuditedThreshold(served, model.audited_threshold)
    deleted = job.model_id is not None and model is None
    return Predictions(job.id, job.predictions_key, job.dataset_id, job.model_id, served, audited, deleted)


def _instead(job: Job) -> str:
    """What makes them, where the job has come to a model all the same, as of an older version."""
    if job.model_id is None:
        return ""
    return " As long as its dataset is there, a batch prediction by its model makes such: POST /v1/batch-predictions."


def summary_of(caller: Caller, job_id: str) -> PredictionSummary | None:
    """Return what pages and the report say of the predictions; None where there are none, and they have the rest."""
    return _if_any(lambda: summarize(caller, predictions_of(caller, job_id)))


def some_items_of(caller: Caller, job_id: str) -> list[ShownItem]:
    """Return some items and their classes, drawn at random; none where there are no predictions."""
    return _if_any(lambda: examples_of(caller, predictions_of(caller, job_id))) or []


def mistakes_of(caller: Caller, job_id: str) -> Confusion | None:
    """Return what labels say of the predictions; None where there are none of either."""
    return _if_any(lambda: confusion_of(caller, predictions_of(caller, job_id)))


def answered_from(caller: Caller, job_id: str, threshold: float) -> tuple[int, int] | None:
    """Return how many items get a class at a threshold, and of how many; None where there are no predictions."""

    def look() -> tuple[int, int]:
        stored = read(caller, predictions_of(caller, job_id))
        return int((stored.records["probability"] >= np.float32(threshold)).sum()), len(stored)

    return _if_any(look)


def _if_any(look: Callable[[], T | None]) -> T | None:
    try:
        return look()
    except ApiError:
        return None
