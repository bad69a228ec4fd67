"""Jobs begun from a template, as a worker's are: it spares each of them the seconds of importing everything."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable

from store.settings import Settings
from tests.waiting import wait_for
from worker.process_context import WorkerContext
from worker.shutdown import shutdown_requested
from worker.training import runner
from worker.training.warm_start import WarmStart, warm_start_of


def run_job(context: WorkerContext, job_id: str, shutdown_requested: Callable[[], bool] = shutdown_requested) -> None:
    """`worker.training.runner.run_job` with the template of this process."""
    runner.run_job(context, job_id, shutdown_requested, template())


@functools.cache
def template() -> WarmStart:
    """One for all tests of a process, ready."""
    warm = warm_start_of(Settings(device="cpu", threads=1))
    assert warm is not None
    atexit.register(warm.close)
    warm.prepare()
    wait_for(warm.is_ready, lambda: "the template does not get ready")
    return warm
