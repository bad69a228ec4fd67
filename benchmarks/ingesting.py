"""Ingestion as the worker does it, on SQLite and a directory, of one uploaded file; for the benchmarks of ingestion."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import peak_mib

from store.database import Database, upgrade
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage
from store.tables import Dataset, Upload
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext


def ingest(modality: str, name: str, items: int, write: Callable[[Path], None]) -> dict[str, float]:
    """Seconds and peak memory (MiB; before it, too) of ingesting one file; processors' seconds with those of readers.

    Args:
        modality: of its items.
        name: of the file, as it was uploaded.
        items: how many it holds.
        write: writes it to the path that it is given.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        upgrade(settings.database_url)
        database, storage = Database(settings.database_url), Storage(settings.storage_url)
        file = Path(folder) / name
        write(file)
        dataset_id = _add_dataset(database, storage, modality, file)
        context = WorkerContext(settings, database, storage, lambda *_: None, "worker-1")
        before, started, processor = peak_mib(), time.monotonic(), _processor_seconds()
        run_ingestion(context, dataset_id)
        seconds, processor_seconds = time.monotonic() - started, _processor_seconds() - processor
        with database.read() as session:
            assert session.get_one(Dataset, dataset_id).item_count == items
    return {
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "peak_mib_before": before,
        "peak_mib": peak_mib(),
    }


def _processor_seconds() -> float:
    """Of this process, and of those that it waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _add_dataset(database: Database, storage: Storage, modality: str, file: Path) -> str:
    """A dataset with one uploaded file, which moves into the storage."""
    dataset_id = new_id("ds")
    key, size = f"datasets/{dataset_id}/uploads/a", file.stat().st_size
    storage.put_file(key, file, move=True)
    with database.write() as session:
        session.add(Dataset(id=dataset_id, owner="local", modality=modality, status="ingesting"))
        session.flush()
        upload = {"filename": file.name, "storage_key": key, "size": size, "sha256": "0" * 64}
        session.add(Upload(id=new_id("up"), dataset_id=dataset_id, position=1, **upload))
    return dataset_id
