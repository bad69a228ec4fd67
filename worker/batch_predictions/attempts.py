"""How an attempt at a batch prediction begins and ends, as changes of its row inside the caller's transaction."""

from __future__ import annotations

import math
from datetime import datetime

from sqlalchemy.orm import Session

from store.clock import utcnow
from store.leases import Lease, claim_batch
from store.queues import enqueue_prediction
from store.settings import Settings
from store.tables import AdaptedModel, BatchPrediction


def begin_attempt(
    session: Session, batch_id: str, owner: str, now: datetime, seconds: float
) -> Lease[BatchPrediction] | None:
    """Claim a queued batch prediction and set it running; None when there is nothing to run."""
    lease = claim_batch(session, batch_id, owner, now, seconds)
    if lease is None:
        return None
    batch = session.get_one(BatchPrediction, batch_id, populate_existing=True)
    model = session.get(AdaptedModel, batch.model_id)
    if model is None or model.deleted_at is not None:
        fail(batch, "model_deleted", f"Model {batch.model_id} was deleted before the prediction began.")
        return None
    batch.status = "running"
    batch.started_at = batch.started_at or utcnow()
    return lease


def seconds_left(batch: BatchPrediction, limit: float | None, now: datetime) -> float:
    """Return how long it may still run, by the limit of seconds since its first attempt began."""
    if limit is None or batch.started_at is None:
        return math.inf
    return max(limit - (now - batch.started_at).total_seconds(), 0.0)


def succeed(batch: BatchPrediction, key: str, size: int) -> bool:
    """End it with its predictions; one that is being cancelled ends without, and False is returned."""
    if batch.status == "cancelling":
        _end(batch, "cancelled")
        return False
    batch.predictions_key, batch.predictions_bytes = key, size
    batch.predicted_count = batch.item_count
    _end(batch, "succeeded")
    return True


def fail(batch: BatchPrediction, code: str, message: str) -> None:
    """End it for a reason that another attempt would not change."""
    if batch.status != "cancelling":
        batch.error_code, batch.error_message = code, message
    _end(batch, "cancelled" if batch.status == "cancelling" else "failed")


def stop(session: Session, batch: BatchPrediction) -> None:
    """End an attempt that was asked to stop, by a caller or by the worker's shutdown, which does not count as lost."""
    if batch.status == "cancelling":
        _end(batch, "cancelled")
        return
    _requeue(batch)
    enqueue_prediction(session, batch.id)


def lose(session: Session, batch: BatchPrediction, reason: str, settings: Settings) -> None:
    """End an attempt that died, and requeue it unless too many in a row made no durable progress."""
    if batch.status != "cancelling":
        batch.lost_attempts += 1
    if batch.lost_attempts < settings.max_lost_attempts:
        stop(session, batch)
        return
    message = f"{batch.lost_attempts} attempts in a row were lost without progress. The last one: {reason}"
    fail(batch, "worker_lost", message)


def postpone(batch: BatchPrediction) -> None:
    """End an attempt for a lack that may pass. It does not count as lost, and the reaper wakes a worker up later."""
    if batch.status == "cancelling":
        _end(batch, "cancelled")
    else:
        _requeue(batch)


def note_progress(batch: BatchPrediction, predicted: int, durable: int) -> None:
    """Keep how many items are done; lost attempts count from zero again where more of them outlast this one."""
    batch.predicted_count = predicted
    if durable > batch.durable_count:
        batch.durable_count, batch.lost_attempts = durable, 0


def _requeue(batch: BatchPrediction) -> None:
    batch.status = "queued"
    batch.lease_owner = batch.lease_expires_at = None


def _end(batch: BatchPrediction, status: str) -> None:
    batch.status = status
    batch.finished_at = utcnow()
    batch.lease_owner = batch.lease_expires_at = None
