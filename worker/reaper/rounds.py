"""A round of the reaper: expired leases are revoked and lost messages sent again. Several reapers may run at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from store import heartbeats
from store import webhook_messages as webhooks
from store.database import Database
from store.job_datasets import are_decided
from store.leases import LEASED, Row, changed_one_row, database_now, expire, expired, prolong, shorten
from store.outbox import Send, publish_pending
from store.queues import (
    INGEST,
    NOTIFY,
    PREDICT,
    TRAIN,
    enqueue_delivery,
    enqueue_ingestion,
    enqueue_prediction,
    enqueue_training,
)
from store.row_removal import forget_rows
from store.settings import Settings
from store.tables import BatchPrediction, Dataset, IdempotencyKey, Job, OutboxMessage, WebhookDelivery
from worker.batch_predictions import attempts as batches
from worker.ingestion.completion import fail_dataset
from worker.training import attempts

logger = logging.getLogger(__name__)

#: How many messages wait in a queue of the broker; None when it cannot be asked.
QueueDepth = Callable[[str], int | None]
#: Rows of work that is done soon after its message arrives: one that waits for long has lost it.
Quick = TypeVar("Quick", Dataset, BatchPrediction)

WAKE_LIMIT = 100
#: Quick work whose queue is not empty may wait so many times longer before its message counts as lost.
BUSY_QUEUE_FACTOR = 10
OUTBOX_KEPT = timedelta(days=1)
#: Rounds of a reaper without a sign of any, after which it counts as having been away.
SILENT_ROUNDS = 3
LOST_LEASE = "its worker stopped renewing the lease"


def run_once(
    database: Database, send: Send, now: datetime, settings: Settings, queue_depth: QueueDepth = lambda _: 0
) -> None:
    """One round: expired leases, lost messages, the outbox, old rows.

    Args:
        database: of the service.
        send: sends a message to the broker.
        now: the database's time.
        settings: of the service.
        queue_depth: asks the broker.
    """
    with database.write() as session:
        for table in LEASED:
            shorten(session, table, now, settings.lease_seconds)
    _expire_jobs(database, now, settings)
    _expire_datasets(database, now, settings)
    _expire_batches(database, now, settings)
    _wake_for_jobs(database, now, settings, queue_depth)
    _wake_for_batches(database, now, settings, queue_depth)
    _wake_for_datasets(database, now, settings, queue_depth)
    _wake_for_webhooks(database, now, queue_depth)
    publish_pending(database, send)
    ttl = timedelta(hours=settings.idempotency_ttl_hours)
    forget_rows(database.write, WebhookDelivery, webhooks.is_old(now))
    forget_rows(database.write, IdempotencyKey, IdempotencyKey.created_at < now - ttl)
    forget_rows(database.write, OutboxMessage, OutboxMessage.published_at < now - OUTBOX_KEPT)
    with database.write() as session:
        heartbeats.forget(session, now)


def begin_round(database: Database, name: str, settings: Settings) -> datetime:
    """Note that this reaper lives; returns the database's time.

    Where no reaper has looked for a while, most likely because the database was away, no holder could renew either:
    leases that were good then get their whole time once more.
    """
    with database.write() as session:
        now = database_now(session)
        looked = heartbeats.last_seen(session, heartbeats.REAPER)
        silence = max(settings.lease_renew_seconds, SILENT_ROUNDS * settings.reaper_interval)
        if looked is not None and (now - looked).total_seconds() > silence:
            logger.warning("No reaper has looked since %s: leases of then are given time to be renewed.", looked)
            for table in LEASED:
                prolong(session, table, looked, now, settings.lease_seconds)
        heartbeats.beat(session, name, heartbeats.REAPER)
    return now


def end_round(database: Database, name: str) -> None:
    """Note that this reaper lives: a round that merely took long is no time when nobody looked."""
    with database.write() as session:
        heartbeats.beat(session, name, heartbeats.REAPER)


def _revoke_expired(database: Database, table: type[Row], now: datetime, lose: Callable[[Session, Row], None]) -> None:
    """Revoke expired leases, and tell of each lost row in the transaction that does it."""
    with database.read() as session:
        ids = expired(session, table, now)
    for row_id in ids:
        with database.write() as session:
            row = expire(session, table, row_id, now)
            if row is not None:
                lose(session, row)


def _expire_jobs(database: Database, now: datetime, settings: Settings) -> None:
    def lose(session: Session, job: Job) -> None:
        logger.warning("Job %s lost an attempt: %s.", job.id, LOST_LEASE)
        attempts.lose(session, job, LOST_LEASE, settings)

    _revoke_expired(database, Job, now, lose)


def _expire_datasets(database: Database, now: datetime, settings: Settings) -> None:
    def lose(session: Session, dataset: Dataset) -> None:
        if dataset.status != "ingesting" or dataset.deleted_at is not None:
            return
        logger.warning("Ingestion of dataset %s was lost.", dataset.id)
        # Every claim that was not given back has raised the fence, so it counts the lost ones.
        if dataset.fence >= settings.max_lost_attempts:
            message = f"Ingestion was lost {dataset.fence} times: its worker stopped renewing the lease each time."
            fail_dataset(session, dataset, "worker_lost", message)
        else:
            enqueue_ingestion(session, dataset.id)

    _revoke_expired(database, Dataset, now, lose)


def _expire_batches(database: Database, now: datetime, settings: Settings) -> None:
    def lose(session: Session, batch: BatchPrediction) -> None:
        logger.warning("Batch prediction %s lost an attempt: %s.", batch.id, LOST_LEASE)
        batches.lose(session, batch, LOST_LEASE, settings)

    _revoke_expired(database, BatchPrediction, now, lose)


def _wake_for_jobs(database: Database, now: datetime, settings: Settings, queue_depth: QueueDepth) -> None:
    """Requeue jobs whose messages were lost, with the broker's data or with the worker that had one.

    While messages wait in the queue a worker will get to them, and more of them would not help. As the queue keeps its
    order, only the messages of jobs that were overtaken are lost then, and of those that wait for memory: a worker took
    theirs and could not begin them.
    """
    waiting = queue_depth(TRAIN.queue)
    if waiting is None:
        return
    lost = true() if waiting == 0 else or_(_overtaken(now), Job.stage == attempts.WAITING_FOR_MEMORY)
    message_lost_at = _long_ago(Job.updated_at, now, settings.requeue_after_seconds)
    with database.write() as session:
        waiting_jobs = (
            select(Job.id)
            .where(Job.status == "queued", message_lost_at, lost, are_decided())
            .order_by(Job.queued_at)
            .limit(WAKE_LIMIT)
        )
        for job_id in session.scalars(waiting_jobs).all():
            # `updated_at` doubles as the time of the last message, behind which it now stands in the queue; of several
            # reapers one moves it.
            touch = update(Job).where(Job.id == job_id, Job.status == "queued", message_lost_at)
            if changed_one_row(session, touch.values(updated_at=now, queued_at=now)):
                enqueue_training(session, job_id)


def _overtaken(now: datetime) -> ColumnElement[bool]:
    """A job of the same owner that was queued later is running: owners take turns, one owner's jobs go in order.

    Times in the future tell no order: the clock was set back.
    """
    other = aliased(Job)
    newest = select(func.max(other.queued_at)).where(
        other.owner == Job.owner, other.status == "running", other.queued_at <= now
    )
    return or_(Job.queued_at < newest.scalar_subquery(), Job.queued_at > now)


def _wake_for_datasets(database: Database, now: datetime, settings: Settings, queue_depth: QueueDepth) -> None:
    wanted = Dataset.status == "ingesting", Dataset.deleted_at.is_(None)
    _wake_unclaimed(database, Dataset, wanted, enqueue_ingestion, now, _patience(settings, queue_depth(INGEST.queue)))


def _wake_for_batches(database: Database, now: datetime, settings: Settings, queue_depth: QueueDepth) -> None:
    wanted = (BatchPrediction.status == "queued",)
    patience = _patience(settings, queue_depth(PREDICT.queue))
    _wake_unclaimed(database, BatchPrediction, wanted, enqueue_prediction, now, patience)


def _patience(settings: Settings, waiting: int | None) -> float | None:
    """Seconds that quick work may wait for a worker until its message counts as lost, with so many in its queue.

    None where the broker cannot be asked.
    """
    if waiting is None:
        return None
    return settings.requeue_after_seconds * (1 if waiting == 0 else BUSY_QUEUE_FACTOR)


def _wake_unclaimed(
    database: Database,
    table: type[Quick],
    wanted: tuple[ColumnElement[bool], ...],
    enqueue: Callable[[Session, str], None],
    now: datetime,
    patience: float | None,
) -> None:
    if patience is None:
        return
    with database.write() as session:
        unclaimed = (*wanted, table.lease_owner.is_(None), _long_ago(table.updated_at, now, patience))
        for row_id in session.scalars(select(table.id).where(*unclaimed).limit(WAKE_LIMIT)).all():
            touch = update(table).where(table.id == row_id, *unclaimed)
            if changed_one_row(session, touch.values(updated_at=now)):
                enqueue(session, row_id)


def _wake_for_webhooks(database: Database, now: datetime, queue_depth: QueueDepth) -> None:
    """Wake a worker up for messages to webhooks whose next attempt is due."""
    if queue_depth(NOTIFY.queue) != 0:
        return
    with database.write() as session:
        for delivery_id in webhooks.due(session, now, WAKE_LIMIT):
            enqueue_delivery(session, delivery_id)


def _long_ago(moment: InstrumentedAttribute[datetime], now: datetime, seconds: float) -> ColumnElement[bool]:
    """More than `seconds` ago; or as far ahead, which only happens when the clock was set back."""
    return or_(moment < now - timedelta(seconds=seconds), moment > now + timedelta(seconds=seconds))
