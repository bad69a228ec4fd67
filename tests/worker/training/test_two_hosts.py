"""A job whose host is gone goes on on another one, from the checkpoint that the first one stored."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from store.database import Database
from store.settings import Settings
from store.storage import Storage
from store.storage_keys import CHECKPOINTS
from store.tables import AdaptedModel, Job, JobMetric
from tests.waiting import WAIT_SECONDS
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext
from worker.training import stored_checkpoints
from worker.training.checkpoints import checkpoint_dir

Host = Callable[[str], WorkerContext]


@pytest.fixture
def storage(s3_url: str, tmp_path: Path) -> Storage:
    return Storage(s3_url, tmp_path / "cache")


@pytest.fixture
def host(make_context: Callable[..., WorkerContext], s3_url: str, settings: Settings) -> Host:
    """A worker with a disk of its own; database and storage are shared."""

    def make(name: str) -> WorkerContext:
        disk = settings.data_dir / name
        context = make_context(name, data_dir=disk)
        return replace(context, storage=Storage(s3_url, disk / "cache"))

    return make


@pytest.fixture
def stored(storage: Storage) -> Callable[[str], list[str]]:
    """Names of a job's checkpoints in the storage."""
    return lambda job_id: [Path(file.key).name for file in storage.files(f"{CHECKPOINTS}/{job_id}")]


def adapter(context: WorkerContext) -> bytes:
    with context.database.read() as session:
        model = session.scalars(select(AdaptedModel)).one()
    return next(context.storage.local_directory(model.storage_key).glob("*.safetensors")).read_bytes()


def recorded(database: Database, job_id: str) -> dict[int, datetime]:
    """When each step's numbers were written; an attempt writes those of the steps that it trains anew."""
    with database.read() as session:
        rows = session.execute(select(JobMetric.step, JobMetric.created_at).where(JobMetric.job_id == job_id))
        return {row.step: row.created_at for row in rows}


@pytest.mark.slow
def test_a_job_goes_on_elsewhere_to_the_same_weights(
    host: Host,
    undisturbed: tuple[WorkerContext, str],
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    database: Any,
    running: Any,
    wait_for: Any,
    child_of: Any,
    stored: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_checkpoints, "LOOK_SECONDS", 0.05)
    first, second = host("first"), host("second")
    job_id = add_job(add_ready_dataset())
    run = running(run_job, first, job_id)
    child = child_of()
    wait_for(lambda: stored(job_id) and recorded(database, job_id))
    child.kill()
    run.result(WAIT_SECONDS)
    assert get(Job, job_id).status == "queued"
    shutil.rmtree(first.settings.data_dir)  # it is gone for good
    left = sorted(stored(job_id))
    assert len(left) <= 3
    kept = {step: at for step, at in recorded(database, job_id).items() if f"step-{step:08d}.pt" <= left[-1]}
    assert kept

    run_job(second, job_id)

    job = get(Job, job_id)
    assert (job.status, job.attempt) == ("succeeded", 2), job.error_message
    assert kept.items() <= recorded(database, job_id).items()
    assert adapter(second) == adapter(undisturbed[0])
    assert stored(job_id) == []


def test_the_further_of_a_hosts_own_checkpoint_and_a_stored_one_is_taken(storage: Storage, tmp_path: Path) -> None:
    for fence, step in ((1, 5), (2, 9), (4, 30)):
        storage.put_stream(f"checkpoints/job_1/{fence}/step-{step:08d}.pt", [str(step).encode()])
    own = checkpoint_dir(tmp_path, "job_1", 3)
    own.mkdir(parents=True)
    (own / "step-00000007.pt").write_bytes(b"7")
    stored_checkpoints.fetch_newer(storage, "job_1", 3, own)
    assert sorted(path.name for path in own.iterdir()) == ["step-00000007.pt", "step-00000009.pt"]
    (own / "step-00000011.pt").write_bytes(b"11")
    stored_checkpoints.fetch_newer(storage, "job_1", 4, own)
    assert stored_checkpoints.newest_step(own) == 11


def test_two_are_kept_and_those_of_earlier_attempts_go(storage: Storage, stored: Any, tmp_path: Path) -> None:
    storage.put_stream("checkpoints/job_1/1/step-00000001.pt", [b"1"])
    uploader = stored_checkpoints.Uploader(storage, "job_1", 2, tmp_path)
    uploader.ended.set()
    for step in (2, 3, 4):
        (tmp_path / f"step-{step:08d}.pt").write_bytes(b"x")
        uploader.run()
    assert sorted(stored("job_1")) == ["step-00000003.pt", "step-00000004.pt"]


def test_checkpoints_of_jobs_that_ended_are_removed_wherever_they_ran(
    storage: Storage, stored: Any, rows: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_checkpoints, "LEFT_ALONE", stored_checkpoints.LEFT_ALONE * 0)
    ended, running, gone = rows.job("running", "failed"), rows.job("running"), "job_gone"
    for job_id in (ended, running, gone):
        storage.put_stream(f"checkpoints/{job_id}/0/step-00000001.pt", [b"1"])
    stored_checkpoints.remove_left_behind(database, storage)
    assert [len(stored(job_id)) for job_id in (ended, running, gone)] == [0, 1, 0]
