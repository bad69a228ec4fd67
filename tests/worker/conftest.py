"""A worker's surroundings on real SQLite and a real directory, and rows to work on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from store.database import Database
from store.settings import Settings
from store.storage import Storage
from store.tables import Dataset
from tests import waiting
from tests.row_fixtures import PICTURES, Broker, insert_job, insert_ready_dataset
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext

SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "threads": 1,
    "checkpoint_interval_seconds": 0.01,
    "min_free_bytes": 0,
    "allowed_hosts": ["testserver"],
}
#: What ingestion had to say of the dataset of `undisturbed`.
DATA_WARNING = {"code": "items_rejected", "message": "2 of 10 pictures could not be used."}


@pytest.fixture
def settings(tmp_path: Path, empty_database_file: Path) -> Settings:
    shutil.copy(empty_database_file, tmp_path / "pouf.db")
    return Settings(data_dir=tmp_path, **SETTINGS)


@pytest.fixture
def make_context(
    settings: Settings, database: Database, storage: Storage, broker: Broker
) -> Callable[..., WorkerContext]:
    """Contexts of several workers over one database."""

    def make(worker_id: str = "worker-1", **changes: Any) -> WorkerContext:
        return WorkerContext(settings.model_copy(update=changes), database, storage, broker.send, worker_id)

    return make


@pytest.fixture
def context(make_context: Callable[..., WorkerContext]) -> WorkerContext:
    return make_context()


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, empty_database_file: Path
) -> Iterator[tuple[WorkerContext, str]]:
    """A worker's surroundings after it ran one job from start to end, and the job's id."""
    data_dir = tmp_path_factory.mktemp("undisturbed")
    shutil.copy(empty_database_file, data_dir / "pouf.db")
    settings = Settings(data_dir=data_dir, **SETTINGS)
    database, storage = Database(settings.database_url), Storage(settings.storage_url)
    dataset_id = insert_ready_dataset(database, storage, PICTURES)
    with database.write() as session:
        session.get_one(Dataset, dataset_id).warnings = [DATA_WARNING]
    job_id = insert_job(database, dataset_id, name="shapes", alias="best", meta={"team": "a"})
    context = WorkerContext(settings, database, storage, Broker().send, "worker-1")
    run_job(context, job_id)
    run_job(context, job_id)  # a duplicate delivery
    yield context, job_id
    database.dispose()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Poll until a condition gives something true, and return that."""
    return waiting.wait_for


@pytest.fixture
def child_of(wait_for: Callable[..., Any]) -> Callable[..., psutil.Process]:
    """The training process that a worker process has started."""

    def find(parent: int | None = None) -> psutil.Process:
        def search() -> psutil.Process | None:
            for process in psutil.Process(parent).children(recursive=True):
                try:
                    if is_of_a_job(process):
                        return process
                except (psutil.NoSuchProcess, psutil.ZombieProcess, FileNotFoundError):
                    continue
            return None

        return wait_for(search)

    return find


def is_of_a_job(process: psutil.Process) -> bool:
    """Whether a process is a job's: started by itself, or a template's copy of which the worker has been told.

    The job of a copy that ends or stands still before that is begun once more, by itself.
    """
    template = "worker.training.template"
    of = process.cmdline()
    if "worker.training.child" in of:
        return True
    copied = template in of and template in psutil.Process(process.ppid()).cmdline()
    return copied and str(Path(f"/proc/{process.pid}/fd/0").readlink()).startswith("pipe:")  # it has the job's pipes


@pytest.fixture
def running() -> Iterator[Callable[..., Future[Any]]]:
    """Run something in a thread and look at it meanwhile."""
    with ThreadPoolExecutor(max_workers=4) as threads:
        yield threads.submit
