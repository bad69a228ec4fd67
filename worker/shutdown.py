"""Asking the running task to stop when the worker shuts down.

A warm shutdown of Celery waits for its tasks, which would be hours of training. The main process therefore passes the
news on to its pool processes by signal, and a running job stops at its next step boundary and gives its lease back.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType
from typing import Any

from celery import signals

logger = logging.getLogger(__name__)

#: Sent by Celery's main process to its pool processes.
SHUTDOWN_SIGNAL = signal.SIGUSR2

_requested = threading.Event()
_consumers: list[Any] = []


def shutdown_requested() -> bool:
    """Whether this worker is on its way out."""
    return _requested.is_set()


def request_shutdown() -> None:
    """Ask the task running in this process to stop soon."""
    _requested.set()


def _on_signal(_signum: int, _frame: FrameType | None) -> None:
    request_shutdown()


class TerminationAsShutdown:
    """While a job runs, SIGTERM to this very process (a signal to the whole group) is a shutdown too."""

    def __enter__(self) -> TerminationAsShutdown:
        self._previous: Any = None
        self._terminated = False
        # A solo pool's SIGTERM handler is Celery's own, which ends in `_tell_pool_processes` below.
        self._installed = (
            threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if self._installed:
            self._previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGTERM, self._previous)
        if self._terminated:
            os.kill(os.getpid(), signal.SIGTERM)  # what was postponed until the job had stopped

    def _on_sigterm(self, _signum: int, _frame: FrameType | None) -> None:
        self._terminated = True
        request_shutdown()


@signals.worker_process_init.connect
def _listen_in_pool_process(**_: Any) -> None:
    signal.signal(SHUTDOWN_SIGNAL, _on_signal)


@signals.worker_ready.connect
def _remember_consumer(sender: Any = None, **_: Any) -> None:
    _consumers.append(sender)


@signals.worker_shutting_down.connect
def _tell_pool_processes(**_: Any) -> None:
    request_shutdown()  # a solo or threaded pool runs the task in this process
    for consumer in _consumers:
        for pid in consumer.pool.info.get("processes", []):
            try:
                os.kill(pid, SHUTDOWN_SIGNAL)
            except ProcessLookupError:
                logger.info("Pool process %s has already gone.", pid)
