"""Queries about jobs, their events and their metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import defer

from pouf_core.contract.progress import Stage
from store import job_counts
from store.scope import Filters, Scope, newest_first
from store.tables import Dataset, Job, JobEvent, JobMetric
from store.transitions import RUNNING

PACE_STEPS = 20


@dataclass(frozen=True)
class PastJob:
    """What a job took: seconds by stage, for so many items, at least one."""

    base_model: str
    quality: str
    dataset_id: str
    item_count: int
    timings: Mapping[Stage, float]


def list_jobs(scope: Scope, filters: Filters, dataset_id: str | None, limit: int) -> Sequence[Job]:
    """Return the owner's jobs, newest first, for summaries."""
    query = newest_first(scope.select(Job), Job, filters, limit)
    if dataset_id is not None:
        query = query.where(Job.dataset_id == dataset_id)
    query = query.options(defer(Job.request))  # read of rows without a summary only
    return scope.session.scalars(query).all()


def queue_positions(scope: Scope, job_ids: Sequence[str]) -> dict[str, int]:
    """Return the position, from 1, of those of the jobs that are queued, among all owners' queued jobs.

    Owners take turns (`worker.training.queueing`): an owner's second job comes after the first ones of all others.
    """
    if not job_ids:
        return {}
    running = (
        select(Job.owner, func.count().label("jobs")).where(Job.status.in_(RUNNING)).group_by(Job.owner).subquery()
    )
    in_turn = func.row_number().over(partition_by=Job.owner, order_by=(Job.queued_at, Job.id))
    turn = (in_turn + func.coalesce(running.c.jobs, 0)).label("turn")
    waiting = select(Job.id, Job.queued_at, turn).where(Job.status == "queued")
    turns = waiting.outerjoin(running, running.c.owner == Job.owner).subquery()
    position = func.row_number().over(order_by=(turns.c.turn, turns.c.queued_at, turns.c.id)).label("position")
    queue = select(turns.c.id, position).subquery()
    query = select(queue.c.id, queue.c.position).where(queue.c.id.in_(job_ids))
    return {job_id: int(place) for job_id, place in scope.session.execute(query)}


def status_and_last_event(scope: Scope, job_id: str) -> tuple[str, int] | None:
    """Return a job's status and the `seq` of its last event, without the rest of its row; None when there is none."""
    query = scope.select_by_id(Job, job_id).with_only_columns(Job.status, Job.event_seq)
    found = scope.session.execute(query).one_or_none()
    return None if found is None else (found.status, found.event_seq)


def list_events(scope: Scope, job_id: str, after_seq: int, limit: int) -> Sequence[JobEvent]:
    """Return events in order, from `after_seq` (exclusive)."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.seq > after_seq)
    return scope.session.scalars(query.order_by(JobEvent.seq).limit(limit)).all()


def list_metrics(scope: Scope, job_id: str, after_step: int, limit: int | None) -> Sequence[JobMetric]:
    """Return per-step numbers in order, from `after_step` (exclusive); all of them when `limit` is None."""
    query = select(JobMetric).where(JobMetric.job_id == job_id, JobMetric.step > after_step)
    return scope.session.scalars(query.order_by(JobMetric.step).limit(limit)).all()


def thinned_metrics(scope: Scope, job_id: str, most: int) -> Sequence[JobMetric]:
    """Return about `most` of the per-step numbers, evenly spaced, in order, and the last."""
    query = select(JobMetric).where(JobMetric.job_id == job_id)
    last = scope.session.scalar(select(func.max(JobMetric.step)).where(JobMetric.job_id == job_id)) or 0
    query = query.where((JobMetric.step % (last // most + 1) == 0) | (JobMetric.step == last))
    return scope.session.scalars(query.order_by(JobMetric.step)).all()


def recent_pace(scope: Scope, job_id: str) -> tuple[int, datetime, float] | None:
    """Return (last step, when it ended, seconds a step) over the last steps, or None when there are too few."""
    query = select(JobMetric.step, JobMetric.created_at).where(JobMetric.job_id == job_id)
    rows = scope.session.execute(query.order_by(JobMetric.step.desc()).limit(PACE_STEPS)).all()
    if len(rows) < 2:
        return None
    (last_step, last_at), (first_step, first_at) = rows[0], rows[-1]
    return last_step, last_at, (last_at - first_at).total_seconds() / (last_step - first_step)


def past_jobs(scope: Scope, limit: int) -> list[PastJob]:
    """Return the owner's last jobs that succeeded and say what they took, newest first."""
    query = select(Job.summary, Job.result, Job.dataset_id, Dataset.item_count)
    query = query.join(Dataset, Dataset.id == Job.dataset_id)
    query = query.where(Job.owner == scope.owner, Job.status == "succeeded", Dataset.item_count > 0)
    rows = scope.session.execute(query.order_by(Job.id.desc()).limit(limit))
    return [
        PastJob(str(summary["base_model"]), str(summary["quality"]), dataset_id, item_count, result.timings)
        for summary, result, dataset_id, item_count in rows
        if summary is not None and result.timings
    ]


def counts_by_status(scope: Scope, *, own: bool = False) -> dict[str, int]:
    """Return how many jobs, of all owners or the `own` ones, are in each status."""
    return job_counts.by_status(scope.session, scope.owner if own else None)


def oldest_queued_at(scope: Scope) -> datetime | None:
    """Return since when the job waits that waits longest, of all owners, for a worker; None when none does."""
    query = select(func.min(Job.queued_at)).where(Job.status == "queued", Job.stage.is_(None))
    return scope.session.scalar(query)
