"""Signs of life of a worker, from its main process, so that they go on while a task runs."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database
from store.heartbeats import EVERY_SECONDS, beat
from store.queues import TRAIN
from store.settings import get_settings
from worker.training.memory_check import room_for_job

logger = logging.getLogger(__name__)

_stopped = threading.Event()


def beat_until(
    stopped: threading.Event, database: Database, name: str, kind: str, job_memory_bytes: int | None = None
) -> None:
    """Note every few seconds that a worker lives and what it may give a job; an outage of the database is sat out."""
    while True:
        try:
            with database.write() as session:
                beat(session, name, kind, job_memory_bytes)
        except SQLAlchemyError as error:
            logger.warning("The heartbeat of %s could not be noted: %s", name, error)
        if stopped.wait(EVERY_SECONDS):
            database.dispose()
            return


@signals.worker_ready.connect
def _start(sender: Any = None, **_: Any) -> None:
    settings, queues = get_settings(), sorted(sender.app.amqp.queues.consume_from)
    room = room_for_job(settings) if TRAIN.queue in queues else None
    most = None if room is None else room.most
    arguments = (_stopped, Database.of(settings), sender.hostname, ",".join(queues), most)
    threading.Thread(target=beat_until, args=arguments, name="heartbeat", daemon=True).start()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopped.set()
