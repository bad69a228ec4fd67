"""Jobs keep the features of their owner's items on the worker's disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store import disk
from store.clock import utcnow
from store.feature_files import owner_directory
from store.tables import AdaptedModel, Dataset, Job
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext

CLOSED_FORMS: dict[str, Any] = {"tune": "calibrate"}


@pytest.fixture
def run(context: WorkerContext, add_job: Any, get: Any) -> Callable[..., Job]:
    """Run a job of an owner over a dataset to its end."""

    def run(dataset_id: str, owner: str = "local", context: WorkerContext = context) -> Job:
        job_id = add_job(dataset_id, CLOSED_FORMS)
        with context.database.write() as session:
            session.get_one(Job, job_id).owner = owner
        run_job(context, job_id)
        job: Job = get(Job, job_id)
        assert job.status == "succeeded", job.error_message
        return job

    return run


def features(context: WorkerContext, owner: str = "local") -> dict[Path, int]:
    """Files and sizes of an owner's features."""
    directory = owner_directory(context.settings.feature_dir, owner)
    return {path: path.stat().st_size for path in directory.rglob("*.features")}


def weights(context: WorkerContext, job: Job, get: Any) -> bytes:
    directory = context.storage.local_directory(get(AdaptedModel, job.model_id).storage_key)
    manifest = json.loads((directory / "pouf.json").read_text())
    assert manifest["engine"]["name"] == "torch"
    return (directory / "adapter.safetensors").read_bytes()


def test_a_second_job_over_the_same_items_encodes_nothing_and_gives_the_same_weights(
    context: WorkerContext, add_ready_dataset: Any, run: Any, get: Any
) -> None:
    dataset_id = add_ready_dataset(6)
    first = run(dataset_id)
    kept = features(context)
    assert kept
    second = run(dataset_id)
    assert features(context) == kept
    assert weights(context, first, get) == weights(context, second, get)


def test_another_owners_job_has_features_of_its_own(context: WorkerContext, add_ready_dataset: Any, run: Any) -> None:
    dataset_id = add_ready_dataset(2)
    run(dataset_id)
    run(dataset_id, owner="../another")
    assert sorted(features(context).values()) == sorted(features(context, "../another").values())
    assert len(list(context.settings.feature_dir.iterdir())) == 2


def test_features_go_when_their_owner_has_deleted_a_dataset_elsewhere(
    context: WorkerContext, add_ready_dataset: Any, run: Any
) -> None:
    kept, deleted = add_ready_dataset(2), add_ready_dataset(3)
    run(deleted)
    old = features(context)
    with context.database.write() as session:
        session.get_one(Dataset, deleted).deleted_at = utcnow()
    run(kept)
    assert not old.keys() & features(context).keys()


def test_none_are_kept_where_none_are_wanted(make_context: Any, add_ready_dataset: Any, run: Any) -> None:
    context = make_context(feature_cache_bytes=0)
    run(add_ready_dataset(2), context=context)
    assert not context.settings.feature_dir.exists()


def test_features_make_room_when_the_disk_runs_short(
    context: WorkerContext, add_ready_dataset: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id = add_ready_dataset(2)
    run(dataset_id)
    old = features(context)

    def shortage(*_: object) -> str | None:
        return "1 MiB of the disk are free" if any(path.exists() for path in old) else None

    monkeypatch.setattr("worker.process_context.shortage", shortage)
    run(dataset_id)
    assert not any(path.exists() for path in old)


def test_a_full_disk_costs_a_job_its_features_alone(
    make_context: Any, add_ready_dataset: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context()
    monkeypatch.setattr("worker.training.runner.scarcest", lambda *_: disk.Disk(free=2**62, floor=2**62))
    run(add_ready_dataset(2), context=context)
    assert not features(context)
