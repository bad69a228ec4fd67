"""The outbox: at least once, in order, whatever the broker does."""

from __future__ import annotations

from typing import Any

import pytest
from kombu.exceptions import OperationalError

from store.database import Database
from store.outbox import enqueue, publish_pending
from store.tables import OutboxMessage
from worker.celery_app import create_celery_app, sender


def test_messages_go_out_once_and_in_order(database: Database, broker: Any) -> None:
    for number in range(3):
        with database.write() as session:
            enqueue(session, "pouf.train", "train", {"job_id": str(number)})
    assert publish_pending(database, broker.send) == 3
    assert publish_pending(database, broker.send) == 0
    assert broker.sent == [("pouf.train", "train", {"job_id": str(number)}) for number in range(3)]


def test_a_message_of_a_rolled_back_transaction_is_never_sent(database: Database, broker: Any) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        enqueue(session, "pouf.train", "train", {})
        raise RuntimeError
    assert publish_pending(database, broker.send) == 0


def test_an_unreachable_broker_leaves_the_messages_for_later(database: Database, broker: Any, get: Any) -> None:
    with database.write() as session:
        message_id = enqueue(session, "pouf.train", "train", {})
    send = sender(create_celery_app("redis://127.0.0.1:1/0"))
    with pytest.raises(OperationalError):
        send("pouf.train", "train", {})
    assert publish_pending(database, send) == 0
    assert (get(OutboxMessage, message_id).published_at, get(OutboxMessage, message_id).attempts) == (None, 1)
    assert publish_pending(database, broker.send) == 1
    assert get(OutboxMessage, message_id).attempts == 2
