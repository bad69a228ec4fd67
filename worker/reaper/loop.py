"""The reaper's process: `python -m worker.reaper` does rounds until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time

import redis
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database
from store.outbox import publish_pending
from store.settings import get_settings
from worker.batch_predictions import runner as batch_predictions
from worker.reaper.housekeeping import Housekeeper
from worker.reaper.rounds import QueueDepth, begin_round, end_round, run_once
from worker.training import checkpoints

logger = logging.getLogger(__name__)

#: A round that has not ended by then waits for a database that is away.
STOP_SECONDS = 5.0


def broker_queue_depth(url: str) -> QueueDepth:
    """Asks a Redis broker, where a queue is a list of its name."""
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)

    def depth(queue: str) -> int | None:
        try:
            return int(client.llen(queue))
        except redis.RedisError as error:
            logger.warning("The broker cannot be asked for its queue %s: %s", queue, error)
            return None

    return depth


def main() -> None:
    """Loop until SIGTERM or SIGINT."""
    from worker.celery_app import DEFAULT_BROKER_URL, send

    settings = get_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database = Database.of(settings)
    name = f"reaper@{socket.gethostname()}"
    queue_depth = broker_queue_depth(settings.redis_url or DEFAULT_BROKER_URL)
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)  # SIGALRM ends the process

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # in a thread of its own: a large storage takes longer to search than leases may wait
    keeper = Housekeeper(settings, database)
    threading.Thread(target=keeper.run, args=(stopped,), name="housekeeper", daemon=True).start()
    logger.info("Reaper running every %s s.", settings.reaper_interval)
    next_round = 0.0
    while not stopped.wait(min(settings.outbox_interval, settings.reaper_interval)):
        try:
            publish_pending(database, send)
            if time.monotonic() >= next_round:
                next_round = time.monotonic() + settings.reaper_interval
                run_once(database, send, begin_round(database, name, settings), settings, queue_depth)
                checkpoints.sweep(database, settings.data_dir)
                batch_predictions.sweep(database, settings.data_dir)
                end_round(database, name)
        except (SQLAlchemyError, OSError) as error:  # the database is away, or a directory that may not be used
            logger.error("A round failed; the next one tries again: %s", error)
