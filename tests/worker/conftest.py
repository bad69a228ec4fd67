"""A worker's surroundings on real SQLite and a real directory, and rows to work on."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image, ImageDraw
from sqlalchemy import select

from app.settings import Settings
from app.store.database import Database
from app.store.ids import new_id
from app.store.models import Dataset, DatasetItem, Job, OutboxMessage, Upload
from app.store.storage import Storage
from app.store.transitions import start_life
from worker.context import WorkerContext
from worker.runner import run_job

CLASSES = ["red circle", "blue square"]
PICTURES = 8
# Steps of this kind take a good part of a second, which leaves time to interrupt them.
METHOD = {"tune": "last_n", "max_steps": 24, "batch_size": 8, "selection": "last"}
SETTINGS: dict[str, Any] = {"device": "cpu", "threads": 1, "checkpoint_interval_seconds": 0.01, "min_free_bytes": 0}


@dataclass
class Broker:
    """Keeps what was sent."""

    sent: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def send(self, task: str, queue: str, payload: dict[str, Any]) -> None:
        self.sent.append((task, queue, payload))


@pytest.fixture
def settings(tmp_path: Path, empty_database_file: Path) -> Settings:
    shutil.copy(empty_database_file, tmp_path / "pouf.db")
    return Settings(data_dir=tmp_path, **SETTINGS)


@pytest.fixture
def broker() -> Broker:
    return Broker()


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


def draw_picture(seed: int = 0, size: int = 48, kind: str = "PNG") -> bytes:
    """An encoded picture; other seeds give other bytes."""
    randomness = random.Random(seed)
    image = Image.new("RGB", (size, size), tuple(randomness.randrange(150, 256) for _ in range(3)))
    box = (randomness.randrange(10), randomness.randrange(10), size - 10, size - 10)
    draw = ImageDraw.Draw(image)
    if seed % 2 == 0:
        draw.ellipse(box, fill=(200 + seed % 50, 20, 20))
    else:
        draw.rectangle(box, fill=(20, 20, 200 + seed % 50))
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def make_picture() -> Callable[..., bytes]:
    return draw_picture


@pytest.fixture
def add_dataset(database: Database, storage: Storage) -> Callable[..., str]:
    """A finalized dataset with its uploaded files, still to be ingested."""

    def add(files: dict[str, bytes], status: str = "ingesting", modality: str = "image", **columns: Any) -> str:
        dataset_id = new_id("ds")
        with database.write() as session:
            session.add(Dataset(id=dataset_id, owner="local", modality=modality, status=status, **columns))
            session.flush()
            for position, (filename, data) in enumerate(files.items(), start=1):
                sha256 = hashlib.sha256(data).hexdigest()
                key = f"datasets/{dataset_id}/uploads/{sha256}"
                storage.put_stream(key, [data])
                session.add(
                    Upload(
                        id=new_id("up"),
                        dataset_id=dataset_id,
                        position=position,
                        filename=filename,
                        storage_key=key,
                        size=len(data),
                        sha256=sha256,
                    )
                )
        return dataset_id

    return add


def insert_ready_dataset(database: Database, storage: Storage, count: int, status: str = "ready") -> str:
    """A dataset as ingestion leaves it, with generated pictures."""
    dataset_id = new_id("ds")
    columns = {"owner": "local", "modality": "image", "item_count": count, "fingerprint": "f" * 64}
    with database.write() as session:
        session.add(Dataset(id=dataset_id, status=status, **columns))
        session.flush()
        for seed in range(count):
            data = draw_picture(seed)
            sha256 = hashlib.sha256(data).hexdigest()
            key = f"datasets/{dataset_id}/blobs/{sha256}"
            storage.put_stream(key, [data])
            session.add(
                DatasetItem(
                    dataset_id=dataset_id,
                    sha256=sha256,
                    name=f"{seed}.png",
                    status="accepted",
                    label=CLASSES[seed % 2],
                    storage_key=key,
                    size=len(data),
                )
            )
    return dataset_id


def insert_job(database: Database, dataset_id: str, method: dict[str, Any] | None = None, **columns: Any) -> str:
    """A queued job over a dataset."""
    method = METHOD if method is None else method
    values = {"class_names": CLASSES, "prompt_template": ["a photo of a {}."], "base_model": "pouf-lite"} | columns
    job = Job(
        id=new_id("job"),
        owner="local",
        request={"method": method},
        method=method,
        dataset_id=dataset_id,
        warnings=[],
        **values,
    )
    with database.write() as session:
        start_life(session, job)
    return job.id


@pytest.fixture
def add_ready_dataset(database: Database, storage: Storage) -> Callable[..., str]:
    def add(count: int = PICTURES, status: str = "ready") -> str:
        return insert_ready_dataset(database, storage, count, status)

    return add


@pytest.fixture
def add_job(database: Database) -> Callable[..., str]:
    def add(dataset_id: str, method: dict[str, Any] | None = None, **columns: Any) -> str:
        return insert_job(database, dataset_id, method, **columns)

    return add


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
    job_id = insert_job(database, dataset_id, name="shapes", alias="best", meta={"team": "a"})
    context = WorkerContext(settings, database, storage, Broker().send, "worker-1")
    run_job(context, job_id)
    run_job(context, job_id)  # a duplicate delivery
    yield context, job_id
    database.dispose()


@pytest.fixture
def get(database: Database) -> Callable[..., Any]:
    """The row of a table as it is now."""

    def get(table: type[Any], key: Any) -> Any:
        with database.read() as session:
            return session.get_one(table, key)

    return get


@pytest.fixture
def items_of(database: Database) -> Callable[..., list[DatasetItem]]:
    def items(dataset_id: str, status: str | None = None) -> list[DatasetItem]:
        query = select(DatasetItem).where(DatasetItem.dataset_id == dataset_id).order_by(DatasetItem.id)
        if status is not None:
            query = query.where(DatasetItem.status == status)
        with database.read() as session:
            return list(session.scalars(query).all())

    return items


@pytest.fixture
def outbox(database: Database) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """Tasks written down so far, sent or not."""

    def read() -> list[tuple[str, dict[str, Any]]]:
        with database.read() as session:
            messages = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)).all()
        return [(message.task, message.payload) for message in messages]

    return read


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Poll until a condition gives something true, and return that."""

    def wait(condition: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def child_of(wait_for: Callable[..., Any]) -> Callable[..., psutil.Process]:
    """The training process that a worker process has started."""

    def find(parent: int | None = None) -> psutil.Process:
        def search() -> psutil.Process | None:
            for process in psutil.Process(parent).children(recursive=True):
                try:
                    if "worker.child" in process.cmdline():
                        return process
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    continue
            return None

        return wait_for(search)

    return find


@pytest.fixture
def running() -> Iterator[Callable[..., Future[Any]]]:
    """Run something in a thread and look at it meanwhile."""
    with ThreadPoolExecutor(max_workers=4) as threads:
        yield threads.submit
