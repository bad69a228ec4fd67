"""Uploading the corpus in one HTTP request and ingesting it: the outcomes, the memory taken and the files written."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.main import create_app
from store.settings import Settings
from store.tables import Dataset, DatasetItem
from tests.app.colour_engine import ColourEngine
from tests.worker.hostile.case import Case, good
from tests.worker.hostile.embeddings import npy, vectors
from worker.ingestion.run import run_ingestion
from worker.process_context import create_context

MIB = 1024**2
LIMITS: dict[str, Any] = {
    "max_item_bytes": 2 * MIB,
    "max_archive_entries": 1000,
    "max_pixels": 4_000_000,
    "decode_memory_bytes": 256 * MIB,
}
HARMLESS = "harmless{}.png"
HARMLESS_COUNT = 3


@dataclass(frozen=True)
class Result:
    """How the upload ended.

    Attributes:
        outcomes: case to how many of its items ended how.
        harmless: how the harmless pictures sent with the corpus ended.
        peak_growth: most bytes of memory that ingestion added to this process.
        written: files that ingestion opened for writing, made or moved, in this process.
    """

    dataset: Dataset
    outcomes: dict[str, Counter[str]]
    harmless: Counter[str]
    peak_growth: int
    written: set[Path]
    data_dir: Path


class Writes:
    """Notes every path that this process writes to while it is watched; audit hooks cannot be taken off again."""

    def __init__(self) -> None:
        self.paths: set[Path] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.paths is None:
            return
        if event == "open" and isinstance(arguments[0], str | bytes) and self._writes(*arguments[1:3]):
            self.paths.add(_path(arguments[0]))
        elif event in ("os.mkdir", "os.symlink", "os.link", "os.rename", "os.mkfifo", "os.mknod"):
            self.paths.update(_path(argument) for argument in arguments[:2] if isinstance(argument, str | bytes))

    def _writes(self, mode: str | None, flags: int) -> bool:
        return set("wax+") & set(mode or "") != set() or bool(mode is None and flags & 3)


def _path(name: str | bytes) -> Path:
    return Path(name.decode() if isinstance(name, bytes) else name).absolute()


def tagged(cases: Sequence[Case]) -> list[tuple[str, Case]]:
    return [(f"c{number:03}_", case) for number, case in enumerate(cases)]


def ingest(cases: Sequence[Case], modality: str, data_dir: Path, writes: Writes) -> Result:
    """Upload all cases at once, with harmless files among them, and ingest them."""
    settings = Settings(
        data_dir=data_dir, device="cpu", threads=1, redis_url=None, allowed_hosts=["testserver"], **LIMITS
    )
    files = [(f"{tag}{case.name}{case.suffix}", case.build(tag)) for tag, case in tagged(cases)]
    for number in range(HARMLESS_COUNT):
        name = HARMLESS.format(number)
        files.insert(number * len(files) // HARMLESS_COUNT, _harmless(name, modality))
    with TestClient(create_app(settings, ColourEngine)) as api:
        answer = api.post("/v1/datasets", files=[("files", file) for file in files], data={"modality": modality})
    assert answer.status_code == 202, answer.text
    del files

    context = create_context(settings, lambda task, queue, payload: None)
    process = psutil.Process()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = process.memory_info().rss
    writes.paths = written = set()
    try:
        run_ingestion(context, answer.json()["id"], shutdown_requested=lambda: False)
    finally:
        writes.paths = None
    growth = _peak() - before
    with context.database.read() as session:
        dataset = session.get_one(Dataset, answer.json()["id"])
        items = session.scalars(select(DatasetItem).where(DatasetItem.dataset_id == dataset.id)).all()
    context.database.dispose()
    outcomes = {case.name: _outcome(items, tag) for tag, case in tagged(cases)}
    return Result(dataset, outcomes, _outcome(items, "harmless"), growth, written, data_dir)


def _harmless(name: str, modality: str) -> tuple[str, bytes]:
    if modality == "embedding":
        return f"{name}.npy", npy(vectors(name, 1))
    return (name, good(name)) if modality == "image" else (f"{name}.txt", f"{name} is a text".encode())


def _outcome(items: Sequence[DatasetItem], tag: str) -> Counter[str]:
    return Counter(item.code or item.status for item in items if tag in item.name)


def _peak() -> int:
    """Most bytes of memory that this process has had at once."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
