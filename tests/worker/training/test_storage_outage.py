"""A storage that is away while a job begins, trains or publishes costs waiting, and no attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from store import outages
from store.tables import Job
from tests.waiting import WAIT_SECONDS
from tests.worker.job_specs import job_spec
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext
from worker.training import child, runner
from worker.training.child import StopRequest
from worker.training.messages import PostponedMessage

Away = Callable[[], Any]


@pytest.fixture
def away(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> Away:
    """The storage's directory is not mounted while the block runs."""
    monkeypatch.setattr(outages, "LONGEST_WAIT", 0.2)
    root = context.storage.local_root
    assert root is not None

    @contextmanager
    def unmounted() -> Iterator[None]:
        root.rename(root.with_name("unmounted"))
        yield
        root.with_name("unmounted").rename(root)

    return unmounted


def test_a_job_that_begins_without_storage_waits_for_it(
    context: WorkerContext, away: Away, add_ready_dataset: Any, add_job: Any, get: Any, running: Any, wait_for: Any
) -> None:
    job_id = add_job(add_ready_dataset(4), {"tune": "prompt", "max_steps": 2, "batch_size": 4, "selection": "last"})
    with away():
        run = running(run_job, context, job_id)
        wait_for(lambda: get(Job, job_id).status == "running")
        time.sleep(1)
        assert (get(Job, job_id).status, get(Job, job_id).lost_attempts) == ("running", 0)
    run.result(WAIT_SECONDS)
    job = get(Job, job_id)
    assert (job.status, job.attempt, job.lost_attempts) == ("succeeded", 1, 0), job.error_message


def test_a_job_that_waits_for_the_storage_is_given_back_when_the_worker_shuts_down(
    context: WorkerContext, away: Away, add_ready_dataset: Any, add_job: Any, get: Any, outbox: Any
) -> None:
    job_id = add_job(add_ready_dataset(4))
    asked = iter([False, False])
    with away():
        run_job(context, job_id, lambda: next(asked, True))
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == ("queued", 0, None)
    assert outbox() == [("pouf.train", {"job_id": job_id})]


def test_a_model_is_published_once_the_storage_is_back(
    context: WorkerContext,
    away: Away,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    running: Any,
    wait_for: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = add_job(add_ready_dataset(4), {"tune": "prompt", "max_steps": 2, "batch_size": 4, "selection": "last"})
    publish = runner.publish_model
    waiting = []

    def publish_later(*arguments: Any) -> str:
        waiting.append(1)
        wait_for(lambda: len(waiting) > 1)
        return publish(*arguments)

    monkeypatch.setattr(runner, "publish_model", publish_later)
    run = running(run_job, context, job_id)
    wait_for(lambda: waiting)
    with away():
        waiting.append(2)
        time.sleep(1)
        assert get(Job, job_id).status == "running"
    run.result(WAIT_SECONDS)
    assert (get(Job, job_id).status, get(Job, job_id).attempt) == ("succeeded", 1)


def test_a_training_process_that_cannot_read_its_pictures_is_postponed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        (tmp_path / "picture").read_bytes()

    monkeypatch.setattr(child, "adapt", fail)
    spec = job_spec(tmp_path).model_copy(update={"pictures": {"a": tmp_path / "picture"}})
    outcome = child.run(spec, child.Reporter(1), StopRequest(), None)
    assert isinstance(outcome, PostponedMessage)
    assert outcome.lack == "storage_unavailable"


def test_a_job_over_a_file_that_is_gone_for_good_fails_at_once_and_names_it(
    context: WorkerContext, add_ready_dataset: Any, add_job: Any, get: Any
) -> None:
    dataset_id = add_ready_dataset(2)
    gone = next(context.storage.files(f"datasets/{dataset_id}"))
    context.storage.delete(gone.key)
    job_id = add_job(dataset_id)
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code, job.attempt) == ("failed", "stored_file_missing", 1)
    assert gone.key in job.error_message
