"""How ingestion ends, as changes of rows: the dataset becomes ready or failed, and waiting jobs hear of it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from pouf_core.contract.wording import check_text_items
from pouf_core.errors import InvalidInput
from pouf_core.families.catalogue import describe
from store.clock import utcnow
from store.queues import enqueue_training
from store.tables import Dataset, Job
from store.transitions import lock_job
from worker.training import attempts


def ready_dataset(session: Session, dataset: Dataset) -> None:
    """The dataset can be used and never changes again; wake the jobs that waited for it."""
    dataset.status = "ready"
    dataset.ready_at = utcnow()
    _give_up_lease(dataset)
    for job_id in _waiting_jobs(session, dataset):
        job = lock_job(session, job_id)
        try:
            _check_items(job, dataset)
        except InvalidInput as error:
            if job.status == "queued":
                attempts.fail(session, job, error.code, error.message)
            continue
        enqueue_training(session, job_id)


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


def _check_items(job: Job, dataset: Dataset) -> None:
    base = describe(job.base_model)
    if base.modality != dataset.modality:
        message = f"The dataset holds {dataset.modality} items and the base model takes {base.modality} items."
        raise InvalidInput("wrong_modality", message)
    if base.modality == "text":
        check_text_items(base, job.prompt_template, dataset.text_pairs)


def _give_up_lease(dataset: Dataset) -> None:
    dataset.lease_owner = None
    dataset.lease_expires_at = None


def _waiting_jobs(session: Session, dataset: Dataset) -> list[str]:
    session.flush()
    query = select(Job.id).where(Job.dataset_id == dataset.id, Job.status == "queued")
    return list(session.scalars(query.order_by(Job.queued_at)).all())
