"""Messages to webhooks: stored in the same transaction as the job's transition, claimed, retried, given up.

A message is sent at least once. Like a job it is claimed by one conditional UPDATE; the broker's message only wakes a
worker.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from store.clock import utcnow
from store.ids import new_id
from store.leases import changed_one_row
from store.observations import count
from store.queues import enqueue_delivery
from store.tables import Job, JobEvent, Webhook, WebhookDelivery

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=12)
PAUSE_FACTOR = 6
#: An attempt without a result after this long counts as lost; far above the time that one may take.
ATTEMPT_LOST_AFTER = timedelta(minutes=5)
KEPT_FOR = timedelta(days=30)
TEST_EVENT = "webhook.test"
#: In place of a job's id, of messages that are about none.
NO_JOB = ""


class ErrorCause(TypedDict):
    """Why a job failed."""

    code: str
    message: str | None


class TransitionData(TypedDict):
    """The job at its transition."""

    event_id: str
    seq: int
    job_id: str
    name: str | None
    metadata: dict[str, str]
    status: str
    model_id: str | None
    verdict: str | None
    error: ErrorCause | None


class TestData(TypedDict):
    """What a message says that only shows whether messages arrive."""

    webhook_id: str


class WebhookMessage(TypedDict):
    """The body that a webhook receives."""

    type: str
    timestamp: str
    data: TransitionData | TestData


@dataclass(frozen=True)
class Claimed:
    """A message that this worker has to send; `attempt` is its fence."""

    delivery_id: str
    attempt: int
    url: str
    secret: str
    body: str


def announce(session: Session, job: Job, event: JobEvent) -> None:
    """Store a message for each webhook of the job's owner that subscribes to events of this type."""
    hooks = select(Webhook).where(Webhook.owner == job.owner, Webhook.deleted_at.is_(None))
    for hook in session.scalars(hooks).all():
        if event.type in hook.event_types:
            _add(session, hook, job.id, _message(job, event))


def test(session: Session, hook: Webhook) -> WebhookDelivery:
    """Store a message that is about no job, so that its receiver can be tried."""
    return _add(session, hook, NO_JOB, _of_type(TEST_EVENT, TestData(webhook_id=hook.id)))


def _add(session: Session, hook: Webhook, job_id: str, message: WebhookMessage) -> WebhookDelivery:
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    delivery = WebhookDelivery(
        id=new_id("msg"),
        owner=hook.owner,
        webhook_id=hook.id,
        job_id=job_id,
        event_type=message["type"],
        body=body,
        body_bytes=len(body.encode()),
    )
    session.add(delivery)
    enqueue_delivery(session, delivery.id)
    return delivery


def ask_again(session: Session, delivery: WebhookDelivery) -> None:
    """Make a message due now and allow it all its attempts again."""
    delivery.status = "pending"
    delivery.attempts_before = delivery.attempts
    delivery.next_attempt_at = utcnow()
    delivery.finished_at = None
    enqueue_delivery(session, delivery.id)


def claim(session: Session, delivery_id: str, now: datetime) -> Claimed | None:
    """Take a message that is due and count the attempt; None when it is not due or another worker has it."""
    due = (
        WebhookDelivery.id == delivery_id,
        WebhookDelivery.status == "pending",
        WebhookDelivery.next_attempt_at <= now,
    )
    values = {"attempts": WebhookDelivery.attempts + 1, "next_attempt_at": now + ATTEMPT_LOST_AFTER}
    if not changed_one_row(session, update(WebhookDelivery).where(*due).values(values)):
        return None
    delivery = session.get_one(WebhookDelivery, delivery_id, populate_existing=True)
    hook = session.get_one(Webhook, delivery.webhook_id)
    if hook.deleted_at is not None:
        delivery.status, delivery.error, delivery.finished_at = "failed", "The webhook was deleted.", now
        return None
    return Claimed(delivery_id, delivery.attempts, hook.url, hook.secret, delivery.body)


def record(
    session: Session, claimed: Claimed, now: datetime, max_attempts: int, status_code: int | None, error: str | None
) -> None:
    """Store the result of an attempt: `error` is None when the message was accepted.

    Nothing is stored for an attempt that counted as lost and was made again meanwhile.
    """
    delivery = session.get_one(WebhookDelivery, claimed.delivery_id, with_for_update=True, populate_existing=True)
    if delivery.attempts != claimed.attempt:
        return
    delivery.status_code, delivery.error = status_code, error
    counted = delivery.attempts - delivery.attempts_before
    if error is None:
        delivery.status, delivery.finished_at = "delivered", now
    elif counted >= max_attempts:
        delivery.status, delivery.finished_at = "failed", now
    elif counted >= 1:
        delivery.next_attempt_at = now + pause_after(counted)
    count(session, "webhooks", "tried_again" if delivery.status == "pending" else delivery.status)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: 5 s, 30 s, 3 min, 18 min, 1.8 h, 10.8 h, then 12 h."""
    factor: int = PAUSE_FACTOR ** min(attempts - 1, 10)  # bounded, because a timedelta can overflow
    return min(FIRST_PAUSE * factor, LONGEST_PAUSE)


def owner_of(session: Session, delivery_id: str) -> str | None:
    """Return whose message it is; None where there is none any more."""
    return session.scalars(select(WebhookDelivery.owner).where(WebhookDelivery.id == delivery_id)).one_or_none()


def due(session: Session, now: datetime, limit: int, owner: str | None = None) -> Sequence[str]:
    """Return ids of messages that are due, of one owner or of all, those due longest first."""
    query = select(WebhookDelivery.id).where(
        WebhookDelivery.status == "pending", WebhookDelivery.next_attempt_at <= now
    )
    if owner is not None:
        query = query.where(WebhookDelivery.owner == owner)
    return session.scalars(query.order_by(WebhookDelivery.next_attempt_at).limit(limit)).all()


def is_old(now: datetime) -> ColumnElement[bool]:
    """Which messages ended so long ago that they go."""
    return WebhookDelivery.finished_at < now - KEPT_FOR


def forget_messages_to(session: Session, hook: Webhook) -> None:
    """Delete the messages to a webhook that have ended; those that wait end when their turn comes."""
    ended = (WebhookDelivery.webhook_id == hook.id, WebhookDelivery.finished_at.is_not(None))
    session.execute(delete(WebhookDelivery).where(*ended))


def _message(job: Job, event: JobEvent) -> WebhookMessage:
    error = None if job.error_code is None else ErrorCause(code=job.error_code, message=job.error_message)
    data = TransitionData(
        event_id=event.id,
        seq=event.seq,
        job_id=job.id,
        name=job.name,
        metadata=job.meta,
        status=job.status,
        model_id=job.model_id,
        verdict=job.result.verdict,
        error=error,
    )
    return _of_type(event.type, data)


def _of_type(kind: str, data: TransitionData | TestData) -> WebhookMessage:
    return WebhookMessage(type=kind, timestamp=utcnow().isoformat().replace("+00:00", "Z"), data=data)
