"""Seconds and memory of `pouf_core.adapt_features` with `tune: "auto"`, by numbers of embeddings and classes.

    python benchmarks/closed_form_size.py --json benchmarks/results/closed-form-size.json

Embeddings of 512 numbers lie about centres of their classes, and class features away from these by noise and an offset
that all share, as those of pictures and texts do. Each size runs in a process of its own; peaks count the embeddings.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clipart import environment
from measuring import in_a_process, peak_mib
from rich.console import Console
from rich.table import Table

import pouf_core

WIDTH = 512
SIZES = ((100_000, 1_000), (20_000, 10_000), (1_000_000, 1_000))
CLAIM = {"items": 100_000, "classes": 1_000, "seconds": 120, "peak_mib": 4096}
MADE_AT_ONCE = 10_000


def main(
    size: Annotated[list[str] | None, typer.Option(help="Items and classes, as 100000x1000; repeatable.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[bool, typer.Option(hidden=True, help="Measure in this process and print the figures.")] = False,
) -> None:
    """Measure every size and print a table."""
    sizes = size or [f"{items}x{classes}" for items, classes in SIZES]
    if alone:
        print(json.dumps(measure(*map(int, sizes[0].split("x")))))
        return
    rows = [in_a_process(__file__, "--size", one, "--alone") for one in sizes]
    print_table(rows)
    if json_file:
        figures = {**environment(), "width": WIDTH, "claim": CLAIM, "rows": rows}
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def measure(items: int, classes: int) -> dict[str, Any]:
    """Seconds, processor seconds, peak memory and accuracies of one adaptation."""
    features, class_features, labels = clusters(items, classes)
    before, started, processor = peak_mib(), time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = pouf_core.adapt_features(features, class_features, out=Path(folder) / "model")
        seconds, processor_seconds = time.monotonic() - started, time.process_time() - processor
        zero_shot = pouf_core.load(result.path).label_indices(features, variant="zero_shot")
    assert result.predictions is not None
    return {
        "items": items,
        "classes": classes,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "load": os.getloadavg()[0],
        "peak_mib_before": before,
        "peak_mib": peak_mib(),
        "timings": {stage: round(spent, 1) for stage, spent in result.timings.items()},
        "verdict": result.verdict,
        "zero_shot_accuracy": float((zero_shot == labels).mean()),
        "served_accuracy": float((result.predictions == labels).mean()),
    }


def clusters(items: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings [n, d], class features [K, d] and labels [n]."""
    random = np.random.default_rng(0)

    def drawn(rows: int) -> np.ndarray:
        return random.standard_normal((rows, WIDTH), dtype=np.float32)

    centres, gap = drawn(classes), 3 * drawn(1)
    class_features = centres + 3 * drawn(classes) + gap
    labels = random.integers(0, classes, items)
    features = np.empty((items, WIDTH), dtype=np.float32)
    for start in range(0, items, MADE_AT_ONCE):
        part = labels[start : start + MADE_AT_ONCE]
        features[start : start + MADE_AT_ONCE] = centres[part] + 1.5 * drawn(len(part))
    return features, class_features, labels


def print_table(rows: list[dict[str, Any]]) -> None:
    """The rows, for people."""
    table = Table(title="Adaptation of embeddings in closed form")
    for heading in ("items", "classes", "seconds", "of processor", "peak MiB", "of it before", "zero-shot", "served"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row['items']:,}",
            f"{row['classes']:,}",
            f"{row['seconds']:.0f}",
            f"{row['processor_seconds']:.0f}",
            f"{row['peak_mib']:.0f}",
            f"{row['peak_mib_before']:.0f}",
            f"{row['zero_shot_accuracy']:.1%}",
            f"{row['served_accuracy']:.1%}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
