"""Celery's transport over Redis, for workers that go on when the broker cannot be told that a message is done.

kombu notes such an error in the log and goes on counting the message, so that a worker that takes one at a time would
never take another, for as long as its other connections to the broker last.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import redis, virtual


class _Counted(redis.QoS):  # type: ignore[misc]
    """The messages that a worker has."""

    def ack(self, delivery_tag: Any) -> None:
        """Count a message as done in any case: delivered again, it does nothing."""
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class _Channel(redis.Channel):  # type: ignore[misc]
    QoS = _Counted


class Transport(redis.Transport):  # type: ignore[misc]
    """Kombu's own but for that."""

    Channel = _Channel
