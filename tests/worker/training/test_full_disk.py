"""No room on the disk: work is put back, and nothing counts as lost."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import pouf_core
from pouf_core.contract.result import AdaptationResult
from pouf_core.system import memory
from store.clock import utcnow
from store.disk import is_disk_full
from store.leases import claim_job
from store.tables import Dataset, Job, JobEvent
from store.transitions import lock_job, transition
from tests.chaos.disk import can_mount, small_disk
from tests.worker.job_specs import job_spec
from tests.worker.training.test_child import ZERO_SHOT
from tests.worker.warm_jobs import run_job
from worker.ingestion.run import run_ingestion
from worker.training import child
from worker.training.child import StopRequest
from worker.training.messages import PostponedMessage, ResultMessage
from worker.training.process import ChildProcess
from worker.training.runner import JobRun

FULL = OSError(errno.ENOSPC, "No space left on device")
OF_THE_DATABASE = OperationalError("INSERT", {}, Exception("database or disk is full"))
IN_A_LIBRARY = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
OPENING = sqlite3.OperationalError("disk I/O error")
OPENING.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
OF_AN_IDLE_DATABASE = OperationalError("PRAGMA", {}, OPENING)
WHILE_COPYING = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])
OF_AN_ARRAY = OSError("1000000 requested and 131056 written")
RESULT = ResultMessage(
    artifact=Path("artifact"),
    result=AdaptationResult(method=ZERO_SHOT, verdict="uncertain", selected_step=0, seconds=0.0),
)


def failing(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [FULL, IN_A_LIBRARY, WHILE_COPYING, OF_THE_DATABASE, OF_AN_IDLE_DATABASE, OF_AN_ARRAY]
)
def test_a_full_disk_is_recognised_whichever_library_reports_it(error: Exception) -> None:
    assert is_disk_full(error)
    wrapped = RuntimeError("saving failed")
    wrapped.__cause__ = error
    assert is_disk_full(wrapped)


@pytest.mark.skipif(not can_mount(), reason="only root may mount a disk, and only on Linux")
def test_an_array_that_fits_in_part_finds_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk, pytest.raises(OSError) as caught:
        np.save(disk.root / "features.npy", np.zeros(10**6))
    assert is_disk_full(caught.value)


OF_A_NAME = OperationalError("INSERT", {"name": "database or disk is full"}, Exception("locked"))


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "gone"), RuntimeError("no"), MemoryError(), OF_A_NAME]
)
def test_other_failures_are_no_full_disk(error: Exception) -> None:
    assert not is_disk_full(error)
    error.__cause__ = RuntimeError("reported")
    error.__cause__.__cause__ = error
    assert not is_disk_full(error)


@pytest.mark.parametrize("error", [FULL, IN_A_LIBRARY])
def test_the_training_process_reports_a_full_disk_as_postponed(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pouf_core, "run", failing(error))
    monkeypatch.setattr(memory, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(child, "limit_host_memory", lambda *_: None)
    spec = job_spec(tmp_path)
    assert isinstance(child.run(spec, child.Reporter(1), StopRequest(), None), PostponedMessage)


def test_a_job_that_finds_a_full_disk_at_its_start_is_requeued_for_the_reaper(
    context: Any, add_ready_dataset: Any, add_job: Any, get: Any, outbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = add_job(add_ready_dataset(1))
    monkeypatch.setattr(ChildProcess, "start", failing(FULL))
    for _ in range(context.settings.max_lost_attempts):
        run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == ("queued", 0, None)
    assert outbox() == []


def test_a_job_that_finds_a_full_disk_at_its_end_is_requeued_with_its_checkpoints(
    context: Any, add_ready_dataset: Any, add_job: Any, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = add_job(add_ready_dataset(1))
    monkeypatch.setattr(JobRun, "_train", lambda *_: RESULT)
    monkeypatch.setattr("worker.training.runner.publish_model", failing(FULL))
    kept = context.settings.data_dir / "checkpoints" / job_id / "1"
    kept.mkdir(parents=True)
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == ("queued", 0, None)
    assert kept.exists()


def test_a_job_that_its_machine_cannot_run_now_is_requeued_for_the_reaper(
    context: Any, add_ready_dataset: Any, add_job: Any, get: Any, outbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = add_job(add_ready_dataset(1))
    for number in (errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.EAGAIN):
        monkeypatch.setattr(ChildProcess, "start", failing(OSError(number, os.strerror(number))))
        run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == ("queued", 0, None)
    assert outbox() == []


def test_another_failure_of_the_storage_while_publishing_is_a_lost_attempt(
    context: Any, add_ready_dataset: Any, add_job: Any, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = add_job(add_ready_dataset(1))
    monkeypatch.setattr(JobRun, "_train", lambda *_: RESULT)
    monkeypatch.setattr("worker.training.runner.publish_model", failing(ConnectionResetError()))
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.lost_attempts, job.lease_owner) == ("queued", 1, None)


def test_a_cancelled_job_that_finds_a_full_disk_ends_cancelled(
    context: Any, add_ready_dataset: Any, add_job: Any, get: Any, database: Any
) -> None:
    job_id = add_job(add_ready_dataset(1))
    with database.write() as session:
        lease = claim_job(session, job_id, context.worker_id, utcnow(), 60)
        transition(session, lock_job(session, job_id), "running", "training")
        transition(session, lock_job(session, job_id), "cancelling", "training")
    JobRun(context, lease, lambda: False, None)._finish(PostponedMessage(reason="full"))
    assert get(Job, job_id).status == "cancelled"


@pytest.mark.parametrize("error", [FULL, OF_THE_DATABASE])
def test_a_dataset_that_finds_a_full_disk_is_released_for_the_reaper(
    error: Exception,
    context: Any,
    add_dataset: Any,
    get: Any,
    outbox: Any,
    make_picture: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1)})
    monkeypatch.setattr("pouf_core.data.uploads.pictures.PictureCollector.collect", failing(error))
    for _ in range(context.settings.max_lost_attempts):
        run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    assert outbox() == []


def test_with_too_little_free_space_a_job_waits_and_says_so_once(
    make_context: Any,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    outbox: Any,
    database: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job_id = add_job(add_ready_dataset(1))
    for _ in range(3):
        run_job(make_context(min_free_bytes=2**60), job_id)
    assert caplog.text.count(f"Job {job_id} waits") == 1
    job = get(Job, job_id)
    assert (job.status, job.stage, job.attempt, job.fence) == ("queued", "waiting_for_space", 0, 0)
    with database.read() as session:
        assert session.scalars(select(JobEvent.type).order_by(JobEvent.seq)).all() == ["job.queued", "job.stage"]
    assert outbox() == []


def test_with_too_little_free_space_a_dataset_waits(
    make_context: Any, context: Any, add_dataset: Any, get: Any, make_picture: Any
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1)})
    run_ingestion(make_context(min_free_bytes=2**60), dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"


def test_an_archive_is_not_unpacked_below_the_floor(
    make_context: Any, add_dataset: Any, get: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for seed in range(8):
            archive.writestr(f"{seed}.png", make_picture(seed))
    dataset_id = add_dataset({"a.zip": packed.getvalue()})
    stored = tmp_path / "storage" / "datasets" / dataset_id / "blobs"

    def usage(_: Path) -> Any:
        return shutil._ntuple_diskusage(100, 0, 100 - 20 * len(list(stored.glob("*/*"))))

    monkeypatch.setattr("worker.ingestion.item_rows.SPACE_CHECK_BYTES", 1)
    monkeypatch.setattr("store.disk.shutil.disk_usage", usage)
    run_ingestion(make_context(min_free_bytes=50), dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    assert len(list(stored.glob("*/*"))) == 3
