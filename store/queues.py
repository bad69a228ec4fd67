"""The tasks that wake workers up: what each is called, the queue that it goes to and the row that it is about.

A message carries a row's id and nothing else: the database says what there is to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from store.outbox import enqueue


@dataclass(frozen=True)
class Task:
    """A task of the worker.

    Attributes:
        name: what Celery knows it by.
        queue: of the broker; `-Q` of a worker names it.
        id_field: the one field of its payload, and the argument of its function.
    """

    name: str
    queue: str
    id_field: str


TRAIN = Task("pouf.train", "train", "job_id")
INGEST = Task("pouf.ingest", "ingest", "dataset_id")
NOTIFY = Task("pouf.notify", "notify", "delivery_id")
#: Of the workers that train, which have what encodes.
PREDICT = Task("pouf.predict", TRAIN.queue, "batch_id")
TASKS = (TRAIN, INGEST, NOTIFY, PREDICT)


def enqueue_training(session: Session, job_id: str) -> None:
    """Wake a worker up for a queued job, once this transaction has committed."""
    _enqueue(session, TRAIN, job_id)


def enqueue_ingestion(session: Session, dataset_id: str) -> None:
    """Wake a worker up for a dataset that is to be ingested, once this transaction has committed."""
    _enqueue(session, INGEST, dataset_id)


def enqueue_delivery(session: Session, delivery_id: str) -> None:
    """Wake a worker up for a message to a webhook, once this transaction has committed."""
    _enqueue(session, NOTIFY, delivery_id)


def enqueue_prediction(session: Session, batch_id: str) -> None:
    """Wake a worker up for a batch prediction, once this transaction has committed."""
    _enqueue(session, PREDICT, batch_id)


def _enqueue(session: Session, task: Task, row_id: str) -> None:
    enqueue(session, task.name, task.queue, {task.id_field: row_id})
