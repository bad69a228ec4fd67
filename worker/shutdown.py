"""Asking the running task to stop when the worker shuts down.

A warm shutdown of Celery waits for its tasks, which would be hours of training. The main process therefore signals its
pool processes, and a running job stops at its next step boundary and gives its lease back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import billiard.pool
import psutil
from celery import signals

from store.settings import get_settings
from store.shutdown_times import WORKER_MARGIN_SECONDS

logger = logging.getLogger(__name__)


class ShuttingDown(Exception):
    """The worker ends; what it works on is left to another one."""


#: Sent by Celery's main process to its pool processes.
SHUTDOWN_SIGNAL = signal.SIGUSR2
#: Tenths of a second that a pool process waits for its last result to be read before it exits.
EXIT_TENTHS = 20


class _State:
    """Set from signal handlers, so without `threading.Event`, whose lock the interrupted code could hold."""

    requested = False
    told_by_worker = False


_consumers: list[Any] = []


def shutdown_requested() -> bool:
    """Whether this worker is shutting down."""
    return _State.requested


def request_shutdown() -> None:
    """Ask the task running in this process to stop soon."""
    _State.requested = True


def _on_signal(_signum: int, _frame: FrameType | None) -> None:
    _State.told_by_worker = True
    request_shutdown()


@contextmanager
def termination_as_shutdown() -> Iterator[None]:
    """While a job runs, SIGTERM to this very process (sent to its whole group, say) is a request to shut down too.

    Once the job has stopped, the signal is sent again to the previous handler, unless the whole worker shuts down and
    ends this process itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminated = False

    def on_sigterm(_signum: int, _frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        request_shutdown()

    previous = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        if terminated and not _State.told_by_worker:
            os.kill(os.getpid(), signal.SIGTERM)


@signals.worker_process_init.connect
def _prepare_pool_process(**_: Any) -> None:
    signal.signal(SHUTDOWN_SIGNAL, _on_signal)
    # A pool process whose task ends while the worker shuts down waits up to 30 s for its result to be read, which
    # Celery no longer does. Nothing depends on it: an unacknowledged message is delivered again and does nothing.
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = EXIT_TENTHS


@signals.worker_ready.connect
def _remember_consumer(sender: Any = None, **_: Any) -> None:
    _consumers.append(sender)


@signals.worker_shutting_down.connect
def _tell_pool_processes(**_: Any) -> None:
    request_shutdown()  # a solo or threaded pool runs the task in this process
    processes = []
    for consumer in _consumers:
        for pid in consumer.pool.info.get("processes", []):
            try:
                processes.append(psutil.Process(pid))
                os.kill(pid, SHUTDOWN_SIGNAL)
            except (ProcessLookupError, psutil.NoSuchProcess):
                logger.info("Pool process %s has already gone.", pid)
    end_at_the_latest(processes, get_settings().cancel_grace_seconds + WORKER_MARGIN_SECONDS)


def end_at_the_latest(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Kill what has not ended by itself when so much time has passed, without waiting for that here.

    While the database is away a process may wait for it in C, where it hears no signal. Its transactions end with it,
    and its lease expires.
    """

    def kill() -> None:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
