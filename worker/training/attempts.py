"""How an attempt at a job begins and ends, as changes of its row inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import unreadable
from store.job_datasets import all_ready, datasets_of
from store.leases import Lease, claim_job
from store.queues import enqueue_training
from store.settings import Settings
from store.tables import Dataset, Job, JobEvent
from store.transitions import append_event, lock_job, transition
from store.unreadable import Unreadable
from worker.training.messages import Lack

CHECKPOINT_EVENT = "job.checkpoint"
WAITING_FOR_SPACE = "waiting_for_space"
WAITING_FOR_MEMORY = "waiting_for_memory"

#: A status that somebody asked for while the job ran, and the one it leads to.
ASKED_FOR = {"cancelling": "cancelled", "pausing": "paused"}


def begin_attempt(session: Session, job_id: str, owner: str, now: datetime, seconds: float) -> Lease[Job] | None:
    """Claim a job whose datasets are ready and set it running; None when there is nothing to run (yet)."""
    if session.get(Job, job_id) is None:
        return None
    job = lock_job(session, job_id)
    if job.status != "queued":
        return None
    if isinstance(job.request, Unreadable):
        fail(session, job, unreadable.CODE, unreadable.MESSAGE)
        return None
    datasets = datasets_of(session, job)
    failed = next((dataset for dataset in datasets if dataset.status == "failed"), None)
    if failed is not None:
        fail_for_dataset(session, job, failed)
        return None
    if not all_ready(datasets):
        transition(session, job, "queued", stage="waiting_for_dataset")
        return None
    lease = claim_job(session, job_id, owner, now, seconds)
    if lease is None:
        return None
    job = lock_job(session, job_id)
    transition(session, job, "running", stage="loading_base", data={"attempt": job.attempt})
    return lease


def wait_for_space(session: Session, job_id: str) -> bool:
    """Show that a queued job is not begun because the disk is full; the reaper wakes a worker up for it again.

    Returns whether this is news.
    """
    job = lock_job(session, job_id)
    is_news = job.status == "queued" and job.stage != WAITING_FOR_SPACE and all_ready(datasets_of(session, job))
    if is_news:
        transition(session, job, "queued", stage=WAITING_FOR_SPACE)
    return is_news


def fail_for_dataset(session: Session, job: Job, dataset: Dataset) -> None:
    """End a job that waited for a dataset which turned out to be unusable."""
    reason = dataset.error_message or "none of its files could be used"
    fail(session, job, "dataset_failed", f"Dataset {dataset.id} failed: {reason}")


def fail(session: Session, job: Job, code: str, message: str) -> None:
    """End the job for a reason that another attempt would not change."""
    if job.status == "cancelling":
        transition(session, job, "cancelled")
        return
    job.error_code = code
    job.error_message = message
    transition(session, job, "failed", data={"error": {"code": code, "message": message}})


def stop(session: Session, job: Job) -> None:
    """End an attempt that was asked to stop, by a caller or by the worker's shutdown, which does not count as lost."""
    if job.status in ASKED_FOR:
        transition(session, job, ASKED_FOR[job.status])
        return
    transition(session, job, "queued", data={"reason": "worker_shutdown"})
    enqueue_training(session, job.id)


def lose(session: Session, job: Job, reason: str, settings: Settings) -> None:
    """End an attempt that died, and requeue the job unless too many in a row made no durable progress."""
    if job.status in ASKED_FOR:
        transition(session, job, ASKED_FOR[job.status])
        return
    job.lost_attempts += 1
    if job.lost_attempts >= settings.max_lost_attempts:
        message = f"{job.lost_attempts} attempts in a row were lost without progress. The last one: {reason}"
        fail(session, job, "worker_lost", message)
        return
    transition(session, job, "queued", data={"reason": "attempt_lost", "detail": reason})
    enqueue_training(session, job.id)


def postpone(session: Session, job: Job, reason: str, lack: Lack = "disk_full") -> None:
    """End an attempt for a lack that may pass. It does not count as lost, and the reaper requeues the job later."""
    if job.status in ASKED_FOR:
        transition(session, job, ASKED_FOR[job.status])
        return
    data = {"reason": lack, "detail": reason}
    transition(session, job, "queued", stage=WAITING_FOR_SPACE if lack == "disk_full" else None, data=data)


def note_checkpoint(session: Session, job: Job, step: int) -> None:
    """Durable progress, if the step lies beyond every earlier checkpoint: lost attempts count from zero again."""
    ends = ("job.failed", "job.cancelled")  # a retry begins from the first step
    newest = session.scalars(
        select(JobEvent)
        .where(JobEvent.job_id == job.id, JobEvent.type.in_((CHECKPOINT_EVENT, *ends)))
        .order_by(JobEvent.seq.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or newest.type in ends or step > cast(int, newest.data["step"]):
        job.lost_attempts = 0
        append_event(session, job, CHECKPOINT_EVENT, {"step": step})
