"""The tasks that messages name. Each claims its work in the database; one delivered twice does nothing."""

from __future__ import annotations

from store.queues import INGEST, NOTIFY, TRAIN
from worker.celery_app import celery_app
from worker.ingestion.run import run_ingestion
from worker.process_context import process_context
from worker.shutdown import termination_as_shutdown
from worker.training.runner import run_job
from worker.webhooks.delivery import deliver


@celery_app.task(name=TRAIN.name)
def train(job_id: str) -> None:
    """Run one attempt of a job."""
    with termination_as_shutdown():
        run_job(process_context(), job_id)


@celery_app.task(name=INGEST.name)
def ingest(dataset_id: str) -> None:
    """Unpack and check the uploads of a dataset."""
    with termination_as_shutdown():
        run_ingestion(process_context(), dataset_id)


@celery_app.task(name=NOTIFY.name)
def notify(delivery_id: str) -> None:
    """Send a message to a webhook."""
    deliver(process_context(), delivery_id)
