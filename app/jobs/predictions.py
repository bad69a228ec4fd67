"""Where the predictions of a job's items are."""

from app.caller import Caller
from app.http.errors import ApiError, conflict
from app.jobs.service import get
from app.predicted.service import Predictions
from store.transitions import FINAL


def predictions_of(caller: Caller, job_id: str) -> Predictions:
    """Return where the predictions of the job's dataset are.

    Raises 409 ``job_not_finished`` as long as there may be some, and 404 ``predictions_not_found`` where there are
    none: the job came to no model, the dataset was deleted, or an older version ran the job.
    """
    with caller.state.database.read() as session:
        job = get(caller.scope(session), job_id)
    if job.status not in FINAL:
        raise conflict("job_not_finished", f"The job is {job.status}; its predictions come with its end.", retry=True)
    if job.predictions_key is None:
        raise ApiError(404, "predictions_not_found", f"There are no predictions of job {job_id}.")
    return Predictions(job.id, job.predictions_key, job.dataset_id, job.model_id)
