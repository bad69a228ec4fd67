"""The Celery application and its tasks. Celery only wakes workers up: the database says what there is to do.

Each task claims its work in the database, so that a message delivered twice does nothing. This module and everything it
imports stays free of torch: training runs in a child process of its own.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from typing import Any

from celery import Celery, signals
from kombu.entity import Exchange, Queue

from store.outbox import Send
from store.queues import INGEST, NOTIFY, PREDICT, TASKS, TRAIN
from store.settings import get_settings
from store.settings_at_start import settings_or_exit
from worker import heartbeat  # noqa: F401 - listens to Celery's signals
from worker.batch_predictions.runner import run_batch
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext, create_context
from worker.shutdown import termination_as_shutdown
from worker.training.runner import run_job
from worker.training.warm_start import WarmStart, warm_start_of
from worker.webhooks.delivery import deliver

DEFAULT_BROKER_URL = "redis://127.0.0.1:6379/0"

# Redis hands an unacknowledged message to another worker after this long. Leases in the database decide who runs
# a job, within a minute or two; a redelivery is a no-op, so this only has to be longer than any training run.
VISIBILITY_TIMEOUT_SECONDS = 7 * 24 * 3600

BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
    # Without a socket timeout a publish on a half-open connection waits for ever; it must exceed the one-second
    # blocking pop of the consumer.
    "socket_timeout": 10.0,
    "socket_connect_timeout": 5.0,
    "socket_keepalive": True,
    "retry_on_timeout": True,
    "health_check_interval": 25,
}


def create_celery_app(broker_url: str) -> Celery:
    """The application with every setting that keeps jobs safe."""
    celery = Celery("pouf", broker=broker_url)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # An exchange of its own each: left out, all queues would share the default queue's and its messages.
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in {task.queue: task for task in TASKS}],
        task_default_queue=INGEST.queue,
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A broker that is full, or a replica for a while, answers by errors: it is waited for as one that is away.
        broker_channel_error_retry=True,
        broker_transport="worker.acknowledging:Transport",
        broker_transport_options=BROKER_TRANSPORT_OPTIONS,
    )
    return celery


@signals.after_setup_logger.connect
def _set_log_level(logger: logging.Logger, **_: Any) -> None:
    logger.setLevel(get_settings().log_level)


def sender(celery: Celery) -> Send:
    """Wakes workers up: publishes one message, or raises kombu's `OperationalError` at once.

    The policy bounds the attempts to connect too; with `retry=False` kombu would go on for seconds.
    """
    policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}

    def send(task: str, queue: str, payload: dict[str, str]) -> None:
        celery.send_task(task, kwargs=payload, queue=queue, retry=True, retry_policy=policy)

    return send


app = create_celery_app(settings_or_exit().redis_url or DEFAULT_BROKER_URL)
send = sender(app)


def process_context() -> WorkerContext:
    """The context of this process. Connections must not cross a fork, so each process opens its own."""
    return _context_of(os.getpid())


@lru_cache(maxsize=1)
def _context_of(_pid: int) -> WorkerContext:
    return create_context(get_settings(), send)


def warm_start() -> WarmStart | None:
    """What jobs and batch predictions of this process begin from; None where each begins by itself."""
    return _warm_start_of(os.getpid())


@lru_cache(maxsize=1)
def _warm_start_of(_pid: int) -> WarmStart | None:
    return warm_start_of(get_settings())


@signals.worker_init.connect
def _note_processes(sender: Any, **_: Any) -> None:
    """Let the processes, which are forked later, know how many they are."""
    app.conf.worker_concurrency = sender.concurrency


@signals.worker_process_init.connect
def _prepare_for_jobs(**_: Any) -> None:
    """Let the first job find a template ready."""
    template = warm_start() if TRAIN.queue in app.amqp.queues.consume_from else None
    if template is not None:
        template.prepare()


@app.task(name=TRAIN.name)
def train(job_id: str) -> None:
    """Run one attempt of a job."""
    with termination_as_shutdown():
        run_job(process_context(), job_id, warm_start=warm_start())


@app.task(name=PREDICT.name)
def predict(batch_id: str) -> None:
    """Run one attempt of a batch prediction."""
    with termination_as_shutdown():
        run_batch(process_context(), batch_id, warm_start=warm_start())


@app.task(name=INGEST.name)
def ingest(dataset_id: str) -> None:
    """Unpack and check the uploads of a dataset."""
    with termination_as_shutdown():
        run_ingestion(process_context(), dataset_id, processes=app.conf.worker_concurrency or 1)


@app.task(name=NOTIFY.name)
def notify(delivery_id: str) -> None:
    """Send a message to a webhook."""
    deliver(process_context(), delivery_id)
