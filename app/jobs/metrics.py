"""The numbers of training, as charts show them."""

from typing import Any

from app.caller import Caller
from app.jobs.queries import thinned_metrics
from app.jobs.schemas import show_metric

MOST_STEPS = 200


def numbers_by_step(caller: Caller, job_id: str) -> list[dict[str, Any]]:
    """Return the numbers of some MOST_STEPS steps, evenly spaced, in order, and of the last one."""
    with caller.state.database.read() as session:
        rows = thinned_metrics(caller.scope(session), job_id, MOST_STEPS)
        return [show_metric(row).model_dump(mode="json") for row in rows]
