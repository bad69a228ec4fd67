"""Jobs that are stopped, and processes that are killed, hang or lose their job."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from sqlalchemy import select

from store.tables import Job, JobEvent
from store.transitions import lock_job, transition
from tests.row_fixtures import ENDLESS
from tests.waiting import WAIT_SECONDS
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext
from worker.training import process, runner
from worker.training.process import ChildProcess


@pytest.fixture
def events(database: Any) -> Callable[[str], list[JobEvent]]:
    def read(job_id: str) -> list[JobEvent]:
        with database.read() as session:
            return list(session.scalars(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)))

    return read


def ask(database: Any, job_id: str, status: str) -> None:
    with database.write() as session:
        job = lock_job(session, job_id)
        transition(session, job, status, job.stage)


def test_cancelled_in_training_stops_at_a_step_boundary(
    context: WorkerContext,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    database: Any,
    running: Any,
    wait_for: Any,
) -> None:
    job_id = add_job(add_ready_dataset(), ENDLESS)
    run = running(run_job, context, job_id)
    wait_for(lambda: get(Job, job_id).stage == "training")
    ask(database, job_id, "cancelling")
    run.result(WAIT_SECONDS)
    job = get(Job, job_id)
    assert (job.status, job.model_id, job.error_code) == ("cancelled", None, None)
    assert not (context.settings.data_dir / "checkpoints" / job_id).exists()


@pytest.mark.parametrize(
    ("asked", "final"), [("cancelling", "cancelled"), ("pausing", "paused")], ids=["cancel", "pause"]
)
def test_a_child_that_does_not_stop_in_time_is_killed(
    asked: str,
    final: str,
    make_context: Any,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    database: Any,
    running: Any,
    child_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "TERMINATION_SECONDS", 0.3)
    job_id = add_job(add_ready_dataset(2), ENDLESS)
    run = running(run_job, make_context(cancel_grace_seconds=0.3), job_id)
    child = child_of()
    child.suspend()
    ask(database, job_id, asked)
    run.result(WAIT_SECONDS)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == (final, 0, None)
    assert not child.is_running()


def test_a_stalled_child_is_killed_and_the_job_tried_again(
    make_context: Any,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    broker: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, started = ChildProcess.start, []

    def start_and_suspend(*arguments: Any) -> ChildProcess:
        child = start(*arguments)
        started.append(psutil.Process(child.pid))
        started[0].suspend()
        return child

    monkeypatch.setattr(ChildProcess, "start", start_and_suspend)
    job_id = add_job(add_ready_dataset(2))
    run_job(make_context(load_timeout=0.5, progress_timeout=0.5), job_id)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts) == ("queued", 1)
    assert not started[0].is_running()
    assert broker.sent == [("pouf.train", "train", {"job_id": job_id})]


def test_a_job_that_kills_every_worker_fails_after_three_attempts(
    make_context: Any,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    events: Any,
    running: Any,
    child_of: Any,
    wait_for: Any,
) -> None:
    context = make_context(checkpoint_interval_seconds=1000)  # after one, lost attempts count from zero again
    job_id = add_job(add_ready_dataset(2), ENDLESS)
    for attempt in (1, 2, 3):
        run = running(run_job, context, job_id)
        wait_for(lambda attempt=attempt: get(Job, job_id).attempt == attempt)
        child_of().send_signal(signal.SIGKILL)
        run.result(WAIT_SECONDS)
    job = get(Job, job_id)
    assert (job.status, job.error_code, job.lost_attempts) == ("failed", "worker_lost", 3)
    assert "SIGKILL" in job.error_message
    assert [event.data["reason"] for event in events(job_id) if "reason" in event.data] == ["attempt_lost"] * 2


def test_a_worker_that_lost_its_lease_kills_its_child_and_writes_nothing(
    context: WorkerContext,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    database: Any,
    running: Any,
    child_of: Any,
) -> None:
    job_id = add_job(add_ready_dataset(2), ENDLESS)
    run = running(run_job, context, job_id)
    child = child_of()
    with database.write() as session:
        job = lock_job(session, job_id)
        job.lease_owner, job.fence = "other", job.fence + 1
        taken_over = job.status, job.stage, job.step
    run.result(WAIT_SECONDS)
    assert not child.is_running()
    job = get(Job, job_id)
    assert (job.status, job.stage, job.step) == taken_over
    assert (job.status, job.lease_owner, job.fence) == ("running", "other", 2)


def test_shutdown_gives_the_job_back_without_counting_it_as_lost(
    context: WorkerContext,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    broker: Any,
    running: Any,
    child_of: Any,
) -> None:
    job_id = add_job(add_ready_dataset(2), ENDLESS)
    asked: list[bool] = []
    run = running(run_job, context, job_id, lambda: bool(asked))
    child_of()
    asked.append(True)
    run.result(WAIT_SECONDS)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == ("queued", 0, None)
    assert broker.sent == [("pouf.train", "train", {"job_id": job_id})]


def test_a_child_dies_with_the_process_that_started_it(
    context: WorkerContext, add_ready_dataset: Any, add_job: Any, database: Any, child_of: Any, wait_for: Any
) -> None:
    job_id = add_job(add_ready_dataset(2), ENDLESS)
    worker = os.fork()
    if worker == 0:
        database.engine.dispose(close=False)
        runner.run_job(context, job_id)
        os._exit(0)
    child = child_of(worker)
    assert os.getsid(child.pid) != os.getsid(worker)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    wait_for(lambda: not child.is_running())
