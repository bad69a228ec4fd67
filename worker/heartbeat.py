"""Signs of life of a worker, from its main process, so that they go on while a task runs."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database
from store.heartbeats import EVERY_SECONDS, beat
from store.settings import get_settings

logger = logging.getLogger(__name__)

_stopped = threading.Event()


def beat_until(stopped: threading.Event, database: Database, name: str, kind: str) -> None:
    """Note every few seconds that a worker lives; an unreachable database is tried again."""
    while True:
        try:
            with database.write() as session:
                beat(session, name, kind)
        except SQLAlchemyError as error:
            logger.warning("The heartbeat of %s could not be noted: %s", name, error)
        if stopped.wait(EVERY_SECONDS):
            database.dispose()
            return


@signals.worker_ready.connect
def _start(sender: Any = None, **_: Any) -> None:
    kind = ",".join(sorted(sender.app.amqp.queues.consume_from))
    arguments = (_stopped, Database.of(get_settings()), sender.hostname, kind)
    threading.Thread(target=beat_until, args=arguments, name="heartbeat", daemon=True).start()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopped.set()
