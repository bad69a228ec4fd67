"""How long a job will take on this machine, by what the owner's jobs took."""

from statistics import median
from typing import get_args

from app.jobs import queries as repository
from pouf_core.contract.request import Quality
from store.scope import Scope

JOBS_LOOKED_AT = 50


def expected_seconds(scope: Scope, base_model: str, item_count: int) -> dict[Quality, float]:
    """Return the seconds that a job will run, by quality; without those of which the owner has run none.

    Of jobs over one dataset the slowest counts: the others found its items encoded already.
    """
    past = [job for job in repository.past_jobs(scope, JOBS_LOOKED_AT) if job.base_model == base_model]
    found: dict[Quality, float] = {}
    for quality in get_args(Quality):
        slowest: dict[str, float] = {}
        for job in past:
            if job.quality == quality:
                slowest[job.dataset_id] = max(slowest.get(job.dataset_id, 0.0), _scaled(job, item_count))
        if slowest:
            found[quality] = median(slowest.values())
    return found


def _scaled(job: repository.PastJob, item_count: int) -> float:
    """Return the seconds that the job would have taken for so many items.

    Encoding takes in proportion. What follows takes no less for fewer items: much of it does not depend on them.
    """
    ratio = item_count / job.item_count
    encoding = job.timings.get("encoding", 0.0) + job.timings.get("encoding_views", 0.0)
    return encoding * ratio + (sum(job.timings.values()) - encoding) * max(ratio, 1.0)
