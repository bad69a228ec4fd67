"""Ingestion of 100,000 embeddings of 512 numbers: seconds and memory, by type of number and format.

    python benchmarks/embedding_ingestion.py --json benchmarks/results/embedding-ingestion.json

It is the worker's own, on SQLite and a directory, each row in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clipart import environment
from rich.console import Console
from text_throughput import peak_mib

from store.database import Database, upgrade
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage
from store.tables import Dataset, Upload
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

WIDTH = 512
ROWS = (("float32", ".npy"), ("float16", ".npy"), ("float32", ".npz"), ("float32", ".parquet"))
WRITTEN_AT_ONCE = 10_000


def main(
    vectors: Annotated[int, typer.Option(help="Vectors to ingest.")] = 100_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[str, typer.Option(hidden=True, help="Type and suffix: ingest in this process.")] = "",
) -> None:
    """Measure every row and print it."""
    if alone:
        print(json.dumps(measure(vectors, *alone.split())))
        return
    rows = [measure_apart(vectors, dtype, suffix) for dtype, suffix in ROWS]
    for row in rows:
        told = f"{row['seconds']:.1f} s, peak {row['peak_mib']:.0f} MiB ({row['peak_mib_before']:.0f} before)"
        Console().print(f"{vectors:,} vectors, {row['dtype']} {row['suffix']}: {told}")
    if json_file:
        json_file.write_text(json.dumps({**environment(), "width": WIDTH, "rows": rows}, indent=2) + "\n")


def measure_apart(vectors: int, dtype: str, suffix: str) -> dict[str, Any]:
    """`measure` in a fresh process."""
    options = ["--vectors", str(vectors), "--alone", f"{dtype} {suffix}"]
    done = subprocess.run([sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(vectors: int, dtype: str, suffix: str) -> dict[str, Any]:
    """Seconds and peak memory (MiB; before it, too) of ingesting one file, whose pages count while they are read."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        upgrade(settings.database_url)
        database, storage = Database(settings.database_url), Storage(settings.storage_url)
        file = Path(folder) / f"vectors{suffix}"
        subprocess.run(
            [sys.executable, "-c", WRITE, str(file), str(vectors), dtype], cwd=Path(__file__).parent, check=True
        )
        dataset_id = add_dataset(database, storage, file)
        context = WorkerContext(settings, database, storage, lambda *_: None, "worker-1")
        before, started, processor = peak_mib(), time.monotonic(), time.process_time()
        run_ingestion(context, dataset_id)
        seconds, processor_seconds = time.monotonic() - started, time.process_time() - processor
        with database.read() as session:
            assert session.get_one(Dataset, dataset_id).item_count == vectors
    return {
        "vectors": vectors,
        "dtype": dtype,
        "suffix": suffix,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "peak_mib_before": before,
        "peak_mib": peak_mib(),
    }


#: Writes a file in a process of its own, so that its memory does not count.
WRITE = """
import sys
from embedding_ingestion import write
write(*sys.argv[1:])
"""


def write(path: str, vectors: str, dtype: str) -> None:
    """Write a file of so many random vectors."""
    count = int(vectors)
    if path.endswith(".npy"):
        file = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), (count, WIDTH))
        for start in range(0, count, WRITTEN_AT_ONCE):
            file[start : start + WRITTEN_AT_ONCE] = drawn(start, min(WRITTEN_AT_ONCE, count - start))
        return
    numbers = drawn(0, count).astype(dtype)
    if path.endswith(".npz"):
        np.savez(path, numbers)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.FixedSizeListArray.from_arrays(numbers.ravel(), WIDTH)
    pq.write_table(pa.table({"features": column}), path)


def drawn(seed: int, count: int) -> np.ndarray:
    """Vectors [count, WIDTH]."""
    return np.random.default_rng(seed).standard_normal((count, WIDTH), dtype=np.float32)


def add_dataset(database: Database, storage: Storage, file: Path) -> str:
    """A dataset with one uploaded file, which moves into the storage."""
    dataset_id = new_id("ds")
    key, size = f"datasets/{dataset_id}/uploads/a", file.stat().st_size
    storage.put_file(key, file, move=True)
    with database.write() as session:
        session.add(Dataset(id=dataset_id, owner="local", modality="embedding", status="ingesting"))
        session.flush()
        upload = {"filename": file.name, "storage_key": key, "size": size, "sha256": "0" * 64}
        session.add(Upload(id=new_id("up"), dataset_id=dataset_id, position=1, **upload))
    return dataset_id


if __name__ == "__main__":
    typer.run(main)
