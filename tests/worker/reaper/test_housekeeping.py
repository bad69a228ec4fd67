"""What killed processes leave on disks is removed, and nothing else."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from store.clock import utcnow
from store.ids import new_id
from store.tables import Job
from worker.reaper import housekeeping
from worker.reaper.housekeeping import Housekeeper
from worker.training import checkpoints


def make_old(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (0, 0))


def test_a_round_removes_what_was_left_in_storage_and_staging(
    settings: Any, database: Any, add_ready_dataset: Any, tmp_path: Path
) -> None:
    kept = tmp_path / "storage" / "datasets" / add_ready_dataset(1)
    model = tmp_path / "storage" / "models" / new_id("mdl") / "adapter.safetensors"
    staged = tmp_path / "staging" / new_id("stage") / "0"
    for file in (model, staged):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
    make_old(model, staged, staged.parent, *kept.rglob("*"))
    Housekeeper(settings, database).tidy()
    assert not model.exists() and not staged.parent.exists()
    assert [path.is_file() for path in kept.glob("blobs/*")] == [True]


def test_cached_copies_are_removed_with_their_originals(
    settings: Any, database: Any, add_ready_dataset: Any, tmp_path: Path
) -> None:
    add_ready_dataset(0)
    copied = tmp_path / "cache" / "models" / new_id("mdl") / "adapter.safetensors"
    copied.parent.mkdir(parents=True)
    copied.write_bytes(b"x")
    make_old(copied)
    Housekeeper(settings.model_copy(update={"storage_url": f"memory://{tmp_path}"}), database).tidy()
    assert not copied.exists()


def test_what_one_step_cannot_do_keeps_no_other_from_being_done_nor_the_next_round(
    settings: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, rounds = threading.Event(), []

    def correct(database: Any) -> None:
        rounds.append(len(rounds))
        if len(rounds) == 2:
            stopped.set()
        raise RuntimeError("away")

    settings.log_dir.mkdir()
    old = settings.log_dir / "job_old.log"
    old.write_text("line")
    make_old(old)
    monkeypatch.setattr(housekeeping.job_counts, "correct", correct)
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0.01)
    Housekeeper(settings, database).run(stopped)
    assert rounds == [0, 1] and not old.exists()


@pytest.mark.parametrize(("status", "left"), [("cancelled", []), ("queued", [".3.copying", "2"])])
def test_half_copied_checkpoints_are_removed_with_a_final_job(
    settings: Any, database: Any, add_ready_dataset: Any, add_job: Any, tmp_path: Path, status: str, left: list[str]
) -> None:
    job_id = add_job(add_ready_dataset(0))
    folder = tmp_path / "checkpoints" / job_id
    for name in ("2", ".3.copying"):
        (folder / name).mkdir(parents=True)
    with database.write() as session:
        long_ago = utcnow() - timedelta(hours=1)
        session.execute(update(Job).values(status=status, fence=3, finished_at=long_ago))
    checkpoints.sweep(database, settings.data_dir)
    assert (sorted(path.name for path in folder.iterdir()) if folder.exists() else []) == left


def test_logs_of_jobs_and_checkpoints_of_deleted_ones_go(
    settings: Any, database: Any, add_ready_dataset: Any, add_job: Any
) -> None:
    job_id = add_job(add_ready_dataset())
    settings.log_dir.mkdir()
    kept, old = settings.log_dir / f"{job_id}.log", settings.log_dir / "job_old.log"
    batch = settings.log_dir / "bat_old.log"
    for path in (kept, old, batch, settings.log_dir / "api.log"):
        path.write_text("line")
    make_old(old, batch, settings.log_dir / "api.log")
    Housekeeper(settings, database).tidy()
    assert {path.name for path in settings.log_dir.iterdir()} == {kept.name, "api.log"}

    for name in (job_id, "job_deleted"):
        (settings.data_dir / "checkpoints" / name / "1").mkdir(parents=True)
    checkpoints.sweep(database, settings.data_dir)
    assert [path.name for path in (settings.data_dir / "checkpoints").iterdir()] == [job_id]


def test_space_is_kept_for_deleting_on_a_full_disk(settings: Any, database: Any, tmp_path: Path) -> None:
    Housekeeper(settings, database).tidy()
    assert (tmp_path / "pouf.db-reserve").is_file()
