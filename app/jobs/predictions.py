"""Where the predictions of a job's items are."""

from app.caller import Caller
from app.http.errors import ApiError, conflict
from app.jobs.service import get
from app.predicted.service import AuditedThreshold, Predictions
from app.predicted.summary import summarize
from app.web.predictions import PredictionSummary
from store.tables import AdaptedModel
from store.transitions import FINAL


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
        raise ApiError(404, "predictions_not_found", f"There are no predictions of job {job_id}.")
    audited = None
    if model is not None and model.audited_threshold is not None:
        audited = AuditedThreshold(model.result.fallback or "adapted", model.audited_threshold)
    return Predictions(job.id, job.predictions_key, job.dataset_id, job.model_id, audited)


def summary_of(caller: Caller, job_id: str) -> PredictionSummary | None:
    """Return what the report says of the predictions; None where there are none, and it has the rest alone."""
    try:
        return summarize(caller, predictions_of(caller, job_id))
    except ApiError:
        return None
