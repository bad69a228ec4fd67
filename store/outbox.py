"""The outbox: tasks are recorded in the transaction that needs them and sent after it has committed.

Delivery is at least once. Tasks claim their work in the database, so one delivered twice does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from kombu.exceptions import OperationalError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.clock import utcnow
from store.database import Database
from store.ids import new_id
from store.tables import OutboxMessage

logger = logging.getLogger(__name__)

#: Sends one task to a queue: `send(task, queue, payload)`; raises kombu's `OperationalError` or `OSError`.
Send = Callable[[str, str, dict[str, str]], None]


def enqueue(session: Session, task: str, queue: str, payload: dict[str, str]) -> str:
    """Note a task to be sent once this transaction has committed; returns the message's id."""
    message = OutboxMessage(id=new_id("out"), task=task, queue=queue, payload=payload)
    session.add(message)
    return message.id


def publish_pending(database: Database, send: Send, *, limit: int = 100) -> int:
    """Send what has not been sent, oldest first; returns how many went out.

    A broker that cannot be reached is not an error: the messages stay and the reaper tries again.
    """
    with database.read() as session:
        query = select(OutboxMessage).where(OutboxMessage.published_at.is_(None))
        pending = session.scalars(query.order_by(OutboxMessage.created_at, OutboxMessage.id).limit(limit)).all()
    for count, message in enumerate(pending):
        try:
            send(message.task, message.queue, message.payload)
        except (OperationalError, OSError) as error:
            logger.warning("%s could not be sent, it stays in the outbox: %s", message.task, error)
            _note_attempt(database, message.id, published_at=None)
            return count
        _note_attempt(database, message.id, published_at=utcnow())
    return len(pending)


def _note_attempt(database: Database, message_id: str, published_at: datetime | None) -> None:
    with database.write() as session:
        session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id == message_id, OutboxMessage.published_at.is_(None))
            .values(published_at=published_at, attempts=OutboxMessage.attempts + 1)
        )
