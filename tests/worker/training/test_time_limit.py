"""The limit of a job's time, over all of its attempts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from store.tables import Job
from store.transitions import ran_seconds
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(*changes: tuple[str, int]) -> list[Any]:
    """Changes of status, with seconds since the start."""
    return [
        {"status": status, "stage": None, "at": (START + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")}
        for status, at in changes
    ]


def ran(*changes: tuple[str, int], now: int) -> float:
    return ran_seconds(history(*changes), START + timedelta(seconds=now))


def test_only_time_in_which_it_ran_counts() -> None:
    assert ran(("queued", 0), now=50) == 0
    assert ran(("queued", 0), ("running", 10), ("running", 12), now=30) == 20
    assert ran(("queued", 0), ("running", 10), ("pausing", 15), ("paused", 20), ("queued", 90), now=99) == 10


def test_a_lost_attempt_counts_and_a_retry_begins_from_nothing() -> None:
    lost = [("queued", 0), ("running", 10), ("queued", 40), ("running", 50)]
    assert ran(*lost, now=60) == 40
    assert ran(*lost, ("failed", 70), ("queued", 80), ("running", 90), now=95) == 5


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    assert ran(("running", 50), ("queued", 20), ("running", 30), now=31) == 1


def test_a_job_that_runs_for_too_long_fails_with_its_code(
    make_context: Callable[..., WorkerContext], add_ready_dataset: Any, add_job: Any, get: Any
) -> None:
    job_id = add_job(add_ready_dataset(2))
    run_job(make_context(job_max_seconds=0.5), job_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == ("failed", "job_time_limit")
