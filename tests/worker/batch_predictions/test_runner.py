"""Attempts at batch predictions: to the end, killed and resumed, cancelled, lost."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from sqlalchemy import select

import pouf_core
from pouf_core.data.items import Item
from pouf_core.dataset_prediction import load_for_dataset, predict_dataset
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.predictions.stored import HEADER, RECORDS, open_predictions
from store.clock import utcnow
from store.leases import database_now
from store.storage import Storage
from store.tables import BatchPrediction, DatasetItem
from tests.pouf_core.conftest import save_tiny_clip
from tests.row_fixtures import CLASSES, draw_picture
from tests.waiting import WAIT_SECONDS, processes_with
from worker.batch_predictions import runner
from worker.batch_predictions.attempts import begin_attempt, lose, succeed
from worker.batch_predictions.runner import run_batch
from worker.batch_predictions.spec import BatchSpec
from worker.process_context import WorkerContext
from worker.training.process import ChildProcess

AT_ONCE = 1  # as many parts as can be, so that one can be killed between two of them


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP, whose image tower was trained."""
    folder = tmp_path_factory.mktemp("adapted")
    base = save_tiny_clip(folder / "base")
    pictures = folder / "pictures"
    pictures.mkdir()
    for seed in range(8):
        (pictures / f"{seed}.png").write_bytes(draw_picture(seed))
    method = {"tune": "model", "max_steps": 2, "batch_size": 8, "selection": "last", "fallback": "never"}
    return pouf_core.adapt(pictures, CLASSES, base_model=f"open_clip:{base}", method=method, out=folder / "model").path


@pytest.fixture
def queued(rows: Any, storage: Storage, artifact: Path, add_ready_dataset: Any, monkeypatch: Any) -> Any:
    """Makes a queued batch prediction of so many pictures by that model, some of which are done at once."""
    monkeypatch.setattr(runner, "BatchSpec", partial(BatchSpec, items_at_once=AT_ONCE))

    def make(count: int) -> str:
        model_id = rows.model()
        storage.delete(f"models/{model_id}")
        storage.put_directory(f"models/{model_id}", artifact)
        dataset_id = add_ready_dataset(count)
        return str(rows.batch("queued", dataset_id, model_id=model_id, item_count=count))

    return make


def child_of_this_process() -> psutil.Process | None:
    return next(iter(processes_with(runner.CHILD)), None)


@contextlib.contextmanager
def held(context: WorkerContext, batch_id: str) -> Iterator[None]:
    """Have whoever reads the last picture wait: an attempt does not end before it is killed."""
    with context.database.read() as session:
        items = select(DatasetItem.storage_key).join(
            BatchPrediction, DatasetItem.dataset_id == BatchPrediction.dataset_id
        )
        last = items.where(BatchPrediction.id == batch_id).order_by(DatasetItem.sha256.desc()).limit(1)
        picture = context.storage.local(session.scalars(last).one())
    aside = picture.with_name("aside")
    picture.rename(aside)
    os.mkfifo(picture)
    yield
    aside.replace(picture)


def kill_after(parts: int, context: WorkerContext, batch_id: str, running: Any, wait_for: Any) -> Path:
    """Run an attempt, and kill its process once so many parts are written; returns where they are."""
    folder: Path = context.settings.data_dir / runner.FOLDER / batch_id / "parts" / "auto"
    run = running(run_batch, context, batch_id)
    wait_for(lambda: (folder / f"{parts - 1:06}.npy").exists())
    child = child_of_this_process()
    assert child is not None
    child.send_signal(signal.SIGKILL)
    run.result(WAIT_SECONDS)
    return folder


def assert_undisturbed(context: WorkerContext, batch: BatchPrediction, artifact: Path, folder: Path) -> None:
    """Compare its files with those of a run in this process."""
    with context.database.read() as session:
        columns = select(DatasetItem.sha256, DatasetItem.storage_key).where(DatasetItem.dataset_id == batch.dataset_id)
        rows = [tuple(row) for row in session.execute(columns)]
    items = [Item(sha256, context.storage.local(key)) for sha256, key in sorted(rows)]
    cpu = torch.device("cpu")
    predictor = load_for_dataset(artifact, len(items), device=cpu)
    whole = folder / "whole"
    predict_dataset(predictor, items, whole, folder / "parts", device=cpu, cache=FeatureCache(), at_once=AT_ONCE)
    assert batch.predictions_key is not None
    made = context.storage.local_directory(batch.predictions_key)
    for name in (HEADER, RECORDS):
        assert (made / name).read_bytes() == (whole / name).read_bytes()
    assert batch.predictions_bytes == sum(file.stat().st_size for file in made.iterdir())
    assert len(open_predictions(made)) == batch.item_count


@pytest.mark.slow
def test_a_killed_prediction_goes_on_and_ends_with_the_same_bytes(
    context: WorkerContext, queued: Any, artifact: Path, get: Any, running: Any, wait_for: Any, tmp_path: Path
) -> None:
    batch_id = queued(60)
    with held(context, batch_id):
        folder = kill_after(1, context, batch_id, running, wait_for)
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.error_code, batch.attempt) == ("queued", None, 1)
    assert 1 <= len(list(folder.glob("*.npy"))) < 60 / AT_ONCE
    run_batch(context, batch_id)
    run_batch(context, batch_id)  # a duplicate delivery
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.attempt, batch.lease_owner) == ("succeeded", 2, None), batch.error_message
    assert (batch.predicted_count, batch.durable_count, batch.lost_attempts) == (60, 60, 0)
    assert not folder.parents[1].exists()
    assert_undisturbed(context, batch, artifact, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # six processes are started one after the other
def test_five_kills_change_nothing(
    context: WorkerContext, queued: Any, artifact: Path, get: Any, running: Any, wait_for: Any, tmp_path: Path
) -> None:
    batch_id = queued(200)
    with held(context, batch_id):
        for parts in (10, 40, 80, 120, 160):
            kill_after(parts, context, batch_id, running, wait_for)
            assert get(BatchPrediction, batch_id).status == "queued"
    run_batch(context, batch_id)
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.attempt) == ("succeeded", 6), batch.error_message
    assert_undisturbed(context, batch, artifact, tmp_path)


@pytest.mark.parametrize(("setting", "precision"), [("auto", None), ("bfloat16", "bfloat16")])
def test_the_precision_of_the_settings_holds_for_batch_predictions(
    make_context: Any, queued: Any, monkeypatch: pytest.MonkeyPatch, setting: str, precision: str | None
) -> None:
    begun: list[BatchSpec] = []

    def begin(specification: BatchSpec, *_: Any) -> Any:
        begun.append(specification)
        raise OSError("no process is begun here")

    monkeypatch.setattr(runner.ChildProcess, "start", begin)
    batch_id = queued(4)
    with contextlib.suppress(OSError):
        run_batch(make_context(precision=setting), batch_id)
    assert [each.precision for each in begun] == [precision]
    # the parts of an attempt with another precision are none of this one's
    assert [each.parts_dir.name for each in begun] == [setting]


def test_a_running_one_is_cancelled_and_leaves_nothing(
    context: WorkerContext, queued: Any, get: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = queued(8)
    start = ChildProcess.start

    def start_and_cancel(*arguments: Any) -> ChildProcess:
        child = start(*arguments)
        with database.write() as session:
            session.get_one(BatchPrediction, batch_id).status = "cancelling"
        return child

    monkeypatch.setattr(ChildProcess, "start", start_and_cancel)
    run_batch(context, batch_id)
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.predictions_key, batch.lease_owner) == ("cancelled", None, None)
    assert batch.finished_at is not None
    assert not (context.settings.data_dir / runner.FOLDER / batch_id).exists()


def test_one_that_is_being_cancelled_gets_no_predictions(rows: Any, get: Any, database: Any) -> None:
    batch_id = rows.batch("cancelling")
    with database.write() as session:
        assert not succeed(session.get_one(BatchPrediction, batch_id), "predictions/bat", 9)
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.predictions_key, batch.predictions_bytes) == ("cancelled", None, 0)


@pytest.mark.parametrize("disk", ["roomy", "full"])
def test_a_delivery_that_runs_nothing_removes_what_ended_ones_left(
    context: WorkerContext, rows: Any, monkeypatch: Any, disk: str
) -> None:
    ended, other = rows.batch("failed"), rows.batch("running")
    folder = context.settings.data_dir / runner.FOLDER
    for name in (ended, other, "bat_deleted"):
        (folder / name / "parts").mkdir(parents=True)
    if disk == "full":
        monkeypatch.setattr(runner, "lack_of_space", lambda _: "the disk is full")
    run_batch(context, ended)
    assert [path.name for path in folder.iterdir()] == [other]


def test_without_its_model_it_fails(context: WorkerContext, rows: Any, get: Any) -> None:
    batch_id = rows.batch("queued", model_id="mdl_gone")
    run_batch(context, batch_id)
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.error_code, batch.lease_owner) == ("failed", "model_deleted", None)


def test_one_that_runs_for_longer_than_is_allowed_is_ended(
    make_context: Any, queued: Any, get: Any, database: Any
) -> None:
    batch_id = queued(2)
    with database.write() as session:
        session.get_one(BatchPrediction, batch_id).started_at = utcnow() - timedelta(seconds=60)  # an earlier attempt
    run_batch(make_context(job_max_seconds=60), batch_id)
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.error_code, batch.lease_owner) == ("failed", "job_time_limit", None)


def test_shutdown_gives_it_back_without_counting_it_as_lost(
    context: WorkerContext, queued: Any, get: Any, broker: Any
) -> None:
    batch_id = queued(2)
    asked = iter([False])
    run_batch(context, batch_id, lambda: next(asked, True))
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.lost_attempts, batch.lease_owner) == ("queued", 0, None)
    assert broker.sent == [("pouf.predict", "train", {"batch_id": batch_id})]


def test_three_attempts_without_progress_are_the_last(
    context: WorkerContext, rows: Any, get: Any, database: Any
) -> None:
    batch_id = rows.batch("queued", model_id=rows.model())
    for attempt in (1, 2, 3):
        with database.write() as session:
            assert begin_attempt(session, batch_id, "worker", database_now(session), 60)
            lose(session, session.get_one(BatchPrediction, batch_id), "it vanished", context.settings)
        assert get(BatchPrediction, batch_id).lost_attempts == attempt
    batch = get(BatchPrediction, batch_id)
    assert (batch.status, batch.error_code) == ("failed", "worker_lost")
