"""The life of a job: the one table of allowed status changes, and the one function that makes them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.clock import utcnow
from store.ids import new_id
from store.job_counts import count_change
from store.observations import count, observe
from store.tables import Job, JobEvent
from store.tables.jobs import StatusChange
from store.webhook_messages import announce

ALLOWED: dict[str, frozenset[str]] = {
    # a queued job that is paused or cancelled was never claimed; it fails when its dataset fails
    "queued": frozenset({"running", "paused", "cancelled", "failed"}),
    # back to queued: the lease was lost or given back
    "running": frozenset({"queued", "pausing", "paused", "cancelling", "cancelled", "succeeded", "failed"}),
    # a job may finish before it reaches the boundary where it would have paused
    "pausing": frozenset({"paused", "queued", "cancelling", "cancelled", "succeeded", "failed"}),
    "paused": frozenset({"queued", "cancelled"}),
    # who cancels gets a cancelled job, even when it was about to finish
    "cancelling": frozenset({"cancelled", "failed"}),
    "succeeded": frozenset(),
    # retry
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}
FINAL = frozenset({"succeeded", "failed", "cancelled"})
#: A worker has the job.
RUNNING = frozenset({"running", "pausing", "cancelling"})
UNFINISHED = frozenset(ALLOWED) - FINAL


class TransitionNotAllowed(Exception):
    """The job's status does not allow the change; `current` and `wanted` name both."""

    def __init__(self, job_id: str, current: str, wanted: str) -> None:
        super().__init__(f"job {job_id} is {current} and cannot become {wanted}")
        self.current = current
        self.wanted = wanted


def lock_job(session: Session, job_id: str) -> Job:
    """Return the job as it is now, locked until the transaction ends (`NoResultFound` when there is none)."""
    query = select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one()


def transition(
    session: Session, job: Job, status: str, stage: str | None = None, data: Mapping[str, JsonValue] | None = None
) -> None:
    """Move `job` to `status` and `stage`, note when, and append an event carrying `data`.

    The same status with another stage is a change of stage; the same status and stage changes nothing.
    Final statuses set `finished_at` and drop the lease's owner; `queued` sets `queued_at`, `running` sets
    `started_at` the first time. Raises `TransitionNotAllowed`.
    """
    session.flush()
    job = lock_job(session, job.id)
    changed_status = status != job.status
    if not changed_status and stage == job.stage:
        return
    if changed_status and status not in ALLOWED[job.status]:
        raise TransitionNotAllowed(job.id, job.status, status)
    now = utcnow()
    if changed_status:
        _count(session, job, status, now)
    job.status = status
    job.stage = stage
    job.status_transitions = [*job.status_transitions, {"status": status, "stage": stage, "at": _rfc3339(now)}]
    if changed_status:
        _stamp(job, status)
    kind = f"job.{status}" if changed_status else "job.stage"
    event = append_event(session, job, kind, {"stage": stage, **(data or {})})
    if changed_status:
        announce(session, job, event)


def start_life(session: Session, job: Job) -> None:
    """Add a new queued job together with the first entry of its history."""
    job.status = "queued"
    job.queued_at = job.queued_at or utcnow()
    job.status_transitions = [{"status": "queued", "stage": job.stage, "at": _rfc3339(job.queued_at)}]
    job.event_seq = 0
    session.add(job)
    session.flush()
    count_change(session, job.owner, None, job.status)
    announce(session, job, append_event(session, job, "job.queued", {"stage": job.stage}))


def append_event(session: Session, job: Job, kind: str, data: Mapping[str, JsonValue] | None = None) -> JobEvent:
    """Append an event with the job's next `seq`.

    The caller holds the job's row (`lock_job`, or a conditional UPDATE in this transaction).
    """
    job.event_seq += 1
    job.updated_at = utcnow()
    event = JobEvent(id=new_id("evt"), job_id=job.id, seq=job.event_seq, type=kind, data=dict(data or {}))
    session.add(event)
    session.flush()
    return event


def ran_seconds(changes: Iterable[StatusChange], now: datetime) -> float:
    """Seconds that a job has spent in `RUNNING`, since its first attempt or the retry of an ended job.

    Args:
        changes: its history, oldest first.
        now: until when it counts.
    """
    total = 0.0
    since: datetime | None = None
    for change in changes:
        moment = datetime.fromisoformat(change["at"])
        if since is not None:
            total += max((moment - since).total_seconds(), 0.0)  # a clock may have been set back
        since = moment if change["status"] in RUNNING else None
        if change["status"] in FINAL:
            total = 0.0
    return total + (max((now - since).total_seconds(), 0.0) if since is not None else 0.0)


def _count(session: Session, job: Job, status: str, now: datetime) -> None:
    """Count a change of status that is about to be made."""
    count_change(session, job.owner, job.status, status)
    if status == "running" and job.queued_at is not None:
        observe(session, "job_wait_seconds", "", (now - job.queued_at).total_seconds())
    if status in FINAL:
        seconds = ran_seconds(job.status_transitions, now)
        observe(session, "job_seconds", status, seconds)
        if seconds:
            count(session, "owner_job_seconds", job.owner, seconds)
    if status == "failed" and job.error_code is not None:
        count(session, "job_failures", job.error_code)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _stamp(job: Job, status: str) -> None:
    now = utcnow()
    if status == "queued":
        job.queued_at = now
    if status == "running" and job.started_at is None:
        job.started_at = now
    if status in FINAL:
        job.finished_at = now
    if status in FINAL or status in ("queued", "paused"):
        job.lease_owner = None
        job.lease_expires_at = None
