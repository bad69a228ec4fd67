"""How ingestion ends, as changes of rows: the dataset becomes ready or failed, and waiting jobs hear of it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.clock import utcnow
from app.store.models import Dataset, Job
from app.store.transitions import lock_job
from pouf_core.catalogue import describe
from worker import attempts

INGEST_TASK = "pouf.ingest"
INGEST_QUEUE = "ingest"


def ready_dataset(session: Session, dataset: Dataset) -> None:
    """The dataset can be used and never changes again; wake the jobs that waited for it."""
    dataset.status = "ready"
    dataset.ready_at = utcnow()
    _give_up_lease(dataset)
    for job_id in _waiting_jobs(session, dataset):
        job = lock_job(session, job_id)
        wanted = describe(job.base_model).modality
        if wanted == dataset.modality:
            attempts.enqueue_training(session, job_id)
        elif job.status == "queued":
            message = f"The dataset holds {dataset.modality} items and the base model takes {wanted} items."
            attempts.fail(session, job, "wrong_modality", message)


def fail_dataset(session: Session, dataset: Dataset, code: str, message: str) -> None:
    """The dataset cannot be used; fail the jobs that waited for it."""
    dataset.status = "failed"
    dataset.error_code = code
    dataset.error_message = message
    _give_up_lease(dataset)
    for job_id in _waiting_jobs(session, dataset):
        job = lock_job(session, job_id)
        if job.status == "queued":
            attempts.fail_for_dataset(session, job, dataset)


def _give_up_lease(dataset: Dataset) -> None:
    dataset.lease_owner = None
    dataset.lease_expires_at = None


def _waiting_jobs(session: Session, dataset: Dataset) -> list[str]:
    session.flush()
    query = select(Job.id).where(Job.dataset_id == dataset.id, Job.status == "queued")
    return list(session.scalars(query.order_by(Job.queued_at)).all())
