"""Ingestion of 100,000 embeddings of 512 numbers: seconds and memory, by type of number and format.

    python benchmarks/embedding_ingestion.py --json benchmarks/results/embedding-ingestion.json

It is the worker's own, on SQLite and a directory, each row in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clipart import environment
from ingesting import ingest
from measuring import in_a_process
from rich.console import Console

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
    options = ("--vectors", str(vectors), "--alone")
    rows = [in_a_process(__file__, *options, f"{dtype} {suffix}") for dtype, suffix in ROWS]
    for row in rows:
        told = f"{row['seconds']:.1f} s, peak {row['peak_mib']:.0f} MiB ({row['peak_mib_before']:.0f} before)"
        Console().print(f"{vectors:,} vectors, {row['dtype']} {row['suffix']}: {told}")
    if json_file:
        json_file.write_text(json.dumps({**environment(), "width": WIDTH, "rows": rows}, indent=2) + "\n")


def measure(vectors: int, dtype: str, suffix: str) -> dict[str, Any]:
    """Seconds and peak memory of ingesting one file, whose pages count while they are read."""

    def write_apart(file: Path) -> None:
        command = [sys.executable, "-c", WRITE, str(file), str(vectors), dtype]
        subprocess.run(command, cwd=Path(__file__).parent, check=True)

    figures = ingest("embedding", f"vectors{suffix}", vectors, write_apart)
    return {"vectors": vectors, "dtype": dtype, "suffix": suffix, **figures}


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


if __name__ == "__main__":
    typer.run(main)
