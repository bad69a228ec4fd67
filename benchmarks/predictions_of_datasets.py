"""Predictions of a large dataset as files: time to the first byte, to the last, and the memory of the API meanwhile.

    python benchmarks/predictions_of_datasets.py --json benchmarks/results/predictions.json

A real API answers over SQLite and a directory. Items and predictions are made up and written as ingestion and a job
leave them; texts are whole in files, as they were uploaded. Memory is the resident memory of the API's process, looked
at fifty times a second, beyond what it was once its base model was loaded and a page had been answered.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import psutil
import typer
from clipart import environment
from rich.console import Console
from sqlalchemy import insert

from cli.addresses import free_port
from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.contract.request import AdaptationRequest
from pouf_core.predictions.stored import RECORD, write_predictions
from store.database import Database, upgrade
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage
from store.tables import Dataset, DatasetItem, Job
from store.transitions import start_life, transition

MOST_GROWTH_MIB, MOST_FIRST_BYTE_SECONDS = 100, 1.0
CLASSES = [f"class {number}" for number in range(100)]
QUERIES = [
    "format=csv",
    "format=csv&sort=margin",
    "format=csv&changed=true&below=0.6",
    "format=jsonl",
    "format=label_studio",
    "format=huggingface",
    "format=parquet",  # last: it imports pyarrow
]
PAGES = ["limit=100", "limit=100&sort=margin", "limit=100&label=class+7"]


@dataclass(frozen=True)
class Figures:
    """What one answer took."""

    query: str
    first_byte_seconds: float
    seconds: float
    mib: float
    growth_mib: float


def main(
    items: Annotated[int, typer.Option(help="Items.")] = 100_000,
    modality: Annotated[str, typer.Option(help="`image` or `text`.")] = "text",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure every format, and the pages."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), device="cpu")
        job_id = fill(settings, items, modality)
        with served(settings) as (client, process):
            url = f"/v1/jobs/{job_id}/predictions"
            settle(client, process)
            client.get(url)
            before = process.memory_info().rss
            rows = [measure(client, process, f"{url}?{query}", query, before) for query in [*PAGES, *QUERIES]]
    for row in rows:
        told = f"first byte {row.first_byte_seconds:.2f} s, {row.seconds:.1f} s, {row.mib:.1f} MiB"
        Console().print(f"{row.query}: {told}; {row.growth_mib:.0f} MiB more memory")
    limits = f"at most {MOST_FIRST_BYTE_SECONDS:g} s to the first byte and {MOST_GROWTH_MIB} MiB"
    Console().print(f"{items:,} items; {limits}")
    if json_file:
        figures = [asdict(row) for row in rows]
        document = {**environment(), "items": items, "modality": modality, "rows": figures}
        json_file.write_text(json.dumps(document, indent=2) + "\n")


def fill(settings: Settings, count: int, modality: str) -> str:
    """A finished job over so many items, with predictions of them; returns its id."""
    upgrade(settings.database_url)
    database, storage = Database.of(settings), Storage.of(settings)
    dataset_id, job_id = new_id("ds"), new_id("job")
    key, predictions = f"datasets/{dataset_id}/texts-1/texts.jsonl", f"predictions/{new_id('mdl')}"
    texts = [f"Review {number}: " + "it works as it should, " * 12 for number in range(count)]
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    if modality == "text":
        storage.put_stream(key, (json.dumps({"text": text}).encode() + b"\n" for text in texts))
    with database.write() as session:
        columns = {"owner": "local", "modality": modality, "status": "ready", "item_count": count}
        session.add(Dataset(id=dataset_id, **columns))
        session.flush()
        shared = {"dataset_id": dataset_id, "status": "accepted", "storage_key": key}
        rows = [
            {"sha256": sha256, "name": f"a.txt:{number}", "text": text[:200] if modality == "text" else None, **shared}
            for number, (sha256, text) in enumerate(zip(hashes, texts, strict=True), start=1)
        ]
        session.execute(insert(DatasetItem), rows)
        request = AdaptationRequest(class_names=list(CLASSES))
        job = Job(id=job_id, owner="local", request=request, dataset_id=dataset_id, predictions_key=predictions)
        start_life(session, job)
        for status in ("running", "succeeded"):
            transition(session, job, status)
    database.dispose()
    with tempfile.TemporaryDirectory() as folder:
        header = PredictionsHeader(
            class_names=CLASSES, variant="adapted", threshold=0.0, accepted_from=0.6, item_count=count
        )
        write_predictions(Path(folder), header, [made_up(sorted(hashes))])
        storage.put_directory(predictions, Path(folder))
    return job_id


def made_up(hashes: list[str]) -> np.ndarray:  # type: ignore[type-arg]
    """Predictions at random."""
    drawn, count = np.random.default_rng(0), len(hashes)
    records = np.empty(count, RECORD)
    records["sha256"] = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(count, -1)
    for name in ("label", "runner_up", "zero_shot_label", "adapted_label"):
        records[name] = drawn.integers(0, len(CLASSES), count)
    records["probability"] = drawn.uniform(0.4, 1, count)
    records["runner_up_probability"] = drawn.uniform(0, 0.4, count)
    records["zero_shot_probability"] = drawn.uniform(0.2, 1, count)
    return records


@contextmanager
def served(settings: Settings) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """The API in a process of its own."""
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port)]
    variables = {**os.environ, "POUF_DATA_DIR": str(settings.data_dir), "POUF_DEVICE": "cpu"}
    with (
        subprocess.Popen([*command, "--log-level", "error"], env=variables) as api,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client,
    ):
        try:
            while True:
                try:
                    client.get("/health/live")
                    break
                except httpx.TransportError:
                    assert api.poll() is None
                    time.sleep(0.1)
            yield client, psutil.Process(api.pid)
        finally:
            api.terminate()


def settle(client: httpx.Client, process: psutil.Process) -> None:
    """Wait until the base model is loaded, and memory no longer grows."""
    while not client.get("/health/ready").json()["checks"]["serving"]["ok"]:
        time.sleep(1)
    sizes = [0]
    while len(sizes) < 5 or max(sizes[-5:]) - min(sizes[-5:]) > 2**20:
        sizes.append(process.memory_info().rss)
        time.sleep(1)


def measure(client: httpx.Client, process: psutil.Process, url: str, query: str, before: int) -> Figures:
    """One answer, read to its end."""
    peak, ended = [before], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, first, size = time.monotonic(), None, 0
    with client.stream("GET", url) as response:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            first = first or time.monotonic() - started
            size += len(chunk)
    seconds = time.monotonic() - started
    ended.set()
    watcher.join()
    return Figures(query, first or seconds, seconds, size / 2**20, (peak[0] - before) / 2**20)


if __name__ == "__main__":
    typer.run(main)
