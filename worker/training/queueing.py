"""Which queued job a worker begins: owners take turns, and of one owner's jobs the broker's order holds.

A message wakes a worker up for a job. The worker begins that one if its owner's turn has come, else the oldest of the
owner whose turn it is; the message of that one will find the first. Messages are as many as jobs, so none is left over.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from store.database import Database
from store.job_datasets import all_ready, are_decided, datasets_of
from store.leases import Lease, database_now
from store.tables import Job
from store.transitions import RUNNING, lock_job
from worker.training import attempts
from worker.training.memory_check import Room, admit

#: Other workers may take what was chosen; then another choice is made.
TRIES = 3


def begin(database: Database, job_id: str, worker: str, seconds: float, room: Room | None = None) -> Lease[Job] | None:
    """Claim the job whose turn it is, woken up for `job_id`; None when there is nothing to run.

    Args:
        database: of the service.
        job_id: that the message names.
        worker: who claims.
        seconds: of the lease.
        room: memory that the worker has for the job; None takes any.
    """
    for _ in range(TRIES):
        with database.write() as session:
            chosen = choose(session, job_id)
            if chosen is None:
                return None
            lease = None
            if _fits(session, chosen, room):
                lease = attempts.begin_attempt(session, chosen, worker, database_now(session), seconds)
        if lease is not None or chosen == job_id:
            return lease
    return None


def choose(session: Session, job_id: str) -> str | None:
    """The job to begin, for the message of `job_id`; None when none waits for a worker."""
    job = session.get(Job, job_id, populate_existing=True)
    if job is not None and job.status == "queued":
        if not _waits_for_worker(session, job):
            return job_id
    else:
        job = None
    owner = session.scalars(_owners_by_turn(job_id)).first()
    if owner is None:
        return None if job is None else job_id
    if job is not None and job.owner == owner:
        return job_id
    waiting = select(Job.id).where(*_waiting(job_id), Job.owner == owner)
    return session.scalars(waiting.order_by(Job.queued_at, Job.id).limit(1)).one_or_none()


def _fits(session: Session, job_id: str, room: Room | None) -> bool:
    if room is None or session.get(Job, job_id) is None:
        return True
    job = lock_job(session, job_id)
    return job.status != "queued" or admit(session, job, room)


def _waits_for_worker(session: Session, job: Job) -> bool:
    datasets = datasets_of(session, job)
    return all_ready(datasets) or any(dataset.status == "failed" for dataset in datasets)


def _waiting(woken: str) -> tuple[ColumnElement[bool], ...]:
    # What did not fit into the memory of a worker is begun by its own message alone, which any other worker may get.
    fits = or_(Job.stage.is_(None), Job.stage != attempts.WAITING_FOR_MEMORY, Job.id == woken)
    return Job.status == "queued", Job.lease_owner.is_(None), fits, are_decided()


def _owners_by_turn(woken: str) -> Select[str]:
    """Owners with jobs that wait or are `woken`: fewest running jobs first, of these who began longest ago."""
    since = func.min(Job.queued_at).label("since")
    owners = select(Job.owner, since).where(*_waiting(woken)).group_by(Job.owner).subquery()
    other = aliased(Job)
    running = select(func.count(other.id)).where(other.owner == owners.c.owner, other.status.in_(RUNNING))
    began = select(func.max(other.started_at)).where(other.owner == owners.c.owner)
    turn = (running.scalar_subquery(), began.scalar_subquery().nulls_first(), owners.c.since, owners.c.owner)
    return select(owners.c.owner).order_by(*turn).limit(1)
