"""Sending tasks to the workers by name, and asking the broker whether it is there."""

import logging
import threading
from collections.abc import Mapping

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from store.database import Database
from store.outbox import publish_pending
from store.queues import TASKS

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 2.0
PUBLISH_BATCH = 100
STOP_SECONDS = 5.0
_PING_KEY = "pouf-ping"
_PING_EXPIRES_SECONDS = 60


class Queue:
    """The broker behind `redis_url`; without one every send fails, and the outbox keeps what was to be sent."""

    def __init__(self, redis_url: str | None) -> None:
        self._redis_url = redis_url
        self._celery = Celery("pouf-api", broker=redis_url, set_as_current=False) if redis_url else None
        if self._celery is not None:
            self._celery.conf.update(
                task_serializer="json",
                accept_content=["json"],
                broker_connection_timeout=SOCKET_SECONDS,
                broker_transport_options={
                    "socket_timeout": SOCKET_SECONDS,
                    "socket_connect_timeout": SOCKET_SECONDS,
                },
                task_publish_retry=False,
                task_ignore_result=True,
            )

    def send(self, task: str, queue: str, payload: Mapping[str, object]) -> None:
        """Send one task; raises kombu's `OperationalError` when the broker cannot be reached."""
        if self._celery is None:
            raise OperationalError("no broker is configured")
        self._celery.send_task(task, kwargs=payload, queue=queue)

    def ping(self) -> None:
        """Raise unless the broker takes what it is given: one that is full, or a replica, or used by others for
        something else, still answers.
        """
        if self._redis_url is None:
            raise OperationalError("no broker is configured (POUF_REDIS_URL)")
        with redis.Redis.from_url(
            self._redis_url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        ) as client:
            client.set(_PING_KEY, "", ex=_PING_EXPIRES_SECONDS)
            for name in {task.queue for task in TASKS}:
                client.llen(name)  # which somebody else may have put something else under

    def close(self) -> None:
        """Close the connections."""
        if self._celery is not None:
            self._celery.close()


class Publisher:
    """A thread that publishes the outbox when woken, so that no request waits for the broker."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Publish soon; call it after the commit that wrote to the outbox."""
        self._woken.set()

    def stop(self) -> None:
        """Publish what was woken for, then end; not waited for while the database or the broker is away."""
        self._stopping = True
        self._woken.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping:
            self._woken.wait()
            self._woken.clear()
            self._publish()

    def _publish(self) -> None:
        try:
            while publish_pending(self._database, self._queue.send, limit=PUBLISH_BATCH) == PUBLISH_BATCH:
                continue
        except Exception:
            # the messages stay in the outbox, and the reaper sends them
            logger.exception("publishing the outbox failed")
