"""Datasets and jobs to work on, their pictures, and what became of them."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import select

from store.database import Database
from store.ids import new_id
from store.storage import Storage
from store.tables import (
    Dataset,
    DatasetItem,
    Job,
    OutboxMessage,
    Upload,
)
from store.transitions import start_life
from tests.rows import Rows, take_request

CLASSES = ["red circle", "blue square"]
PICTURES = 8
# Steps of this kind take a good part of a second, which leaves time to interrupt them.
METHOD = {"tune": "last_n", "max_steps": 24, "batch_size": 8, "selection": "last"}
#: Of a job that a test ends, however late it comes to that.
ENDLESS = {"tune": "prompt", "max_steps": 100_000, "batch_size": 8, "selection": "last"}


@pytest.fixture
def rows(database: Database, storage: Storage) -> Rows:
    return Rows(database, storage)


@dataclass
class Broker:
    """Keeps what was sent."""

    sent: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def send(self, task: str, queue: str, payload: dict[str, Any]) -> None:
        self.sent.append((task, queue, payload))


@pytest.fixture
def broker() -> Broker:
    return Broker()


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
            session.add(Dataset(id=dataset_id, modality=modality, status=status, **{"owner": "local"} | columns))
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
    columns = {"base_model": "pouf-lite", "class_names": CLASSES, **columns}
    if columns["base_model"] == "pouf-lite":
        columns = {"prompt_template": ["a photo of a {}."], **columns}
    request = take_request(columns, method=METHOD if method is None else method)
    job = Job(id=new_id("job"), owner="local", request=request, dataset_id=dataset_id, **columns)
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
