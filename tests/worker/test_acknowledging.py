"""A worker takes the next message also where the broker could not be told that the last one is done."""

from __future__ import annotations

import pytest
import redis
from kombu import Queue
from kombu.exceptions import OperationalError

from store.ids import new_id
from worker.celery_app import create_celery_app


def test_a_message_that_could_not_be_acknowledged_keeps_no_other_from_being_taken(valkey_url: str) -> None:
    queue = Queue(new_id("queue"))
    with create_celery_app(valkey_url).connection_for_read() as connection, redis.Redis.from_url(valkey_url) as broker:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        with connection.Producer() as producer:
            producer.publish({}, routing_key=queue.name, declare=[queue])
        taken = queue(channel).get()
        assert taken is not None
        assert not channel.qos.can_consume()
        broker.execute_command("ACL", "SETUSER", "default", "-zrem")
        try:
            with pytest.raises((redis.RedisError, OperationalError)):
                taken.ack()
        finally:
            broker.execute_command("ACL", "SETUSER", "default", "+zrem")
        assert channel.qos.can_consume()
