"""Accuracy on `examples/clipart`, or other pictures, before and after adaptation without labels, over several seeds.

The difference to zero-shot is paired by item: its interval is a bootstrap over items of the mean over seeds.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap

import pouf_core
from pouf_core.artifact import recorded_versions
from pouf_core.system.memory import keep_freed_memory

CLIPART = Path(__file__).parent.parent / "examples" / "clipart"


def main(
    tune: Annotated[list[str], typer.Option(help="Tune modes to run.")] = ["prompt", "head", "norm", "model"],  # noqa: B006
    quality: Annotated[list[str] | None, typer.Option(help="fast or best, repeatable: in place of tune modes.")] = None,
    pictures: Annotated[Path, typer.Option(help="A folder with labels.csv and the pictures, or images/.")] = CLIPART,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    preset: Annotated[str, typer.Option(help="default or paper.")] = "default",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Run every tune mode, or quality, with every seed and print a table."""
    keep_freed_memory()
    paths, truth = load_pictures(pictures)
    settings = [{"quality": one} for one in quality or []] or [
        {"method": {"tune": one, "preset": preset}} for one in tune
    ]
    rows = [measure(one, range(seeds), paths, truth) for one in settings]
    print_table(rows, len(paths))
    if json_file:
        json_file.write_text(json.dumps({**environment(), "items": len(paths), "rows": rows}, indent=2) + "\n")


def load_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """Paths of the pictures and their evaluation labels."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = folder / "images" if (folder / "images").is_dir() else folder
    return [images / row["file"] for row in rows], [row["label"] for row in rows]


def measure(settings: dict[str, Any], seeds: range, paths: list[Path], truth: list[str]) -> dict[str, Any]:
    """Accuracies of what is served, paired difference and seconds of one tune mode or quality."""
    correct: dict[str, list[list[bool]]] = {"zero_shot": [], "served": []}
    seconds = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            started = time.monotonic()
            result = pouf_core.adapt(
                paths,
                sorted(set(truth)),
                **settings,
                seed=seed,
                out=Path(directory) / "model",
            )
            seconds.append(time.monotonic() - started)
            predictor = pouf_core.load(result.path)
            for kind, rows in correct.items():
                variant = predictor.served if kind == "served" else "zero_shot"
                predictions = predictor.predict(paths, variant=variant)
                rows.append([item.label == label for item, label in zip(predictions, truth, strict=True)])
    zero_shot, served = np.array(correct["zero_shot"], float), np.array(correct["served"], float)
    return {
        "what": settings.get("quality") or settings["method"]["tune"],
        "settings": settings,
        "seeds": list(seeds),
        "zero_shot_percent": 100 * zero_shot.mean(),
        "served_percent": 100 * served.mean(),
        "served_percent_by_seed": (100 * served.mean(axis=1)).tolist(),
        **paired_difference((served - zero_shot).mean(axis=0)),
        "median_seconds": statistics.median(seconds),
    }


def paired_difference(difference: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Mean of differences [n] between two accuracies, one an item, and its 95 % bootstrap interval, in points."""
    spread = bootstrap((difference,), np.mean, rng=np.random.default_rng(0), method="percentile").confidence_interval
    return {
        "difference_points": 100 * float(difference.mean()),
        "difference_interval": [100 * spread.low, 100 * spread.high],
    }


def print_table(rows: list[dict[str, Any]], item_count: int) -> None:
    """The rows, for people."""
    table = Table(title=f"{item_count} pictures, mean of {len(rows[0]['seeds'])} seeds")
    for heading in ("what", "zero-shot %", "served %", "difference (paired 95 %)", "seconds"):
        table.add_column(heading)
    for row in rows:
        low, high = row["difference_interval"]
        table.add_row(
            row["what"],
            f"{row['zero_shot_percent']:.1f}",
            f"{row['served_percent']:.1f}",
            f"{row['difference_points']:+.1f} ({low:+.1f} to {high:+.1f})",
            f"{row['median_seconds']:.0f}",
        )
    Console().print(table)


def environment() -> dict[str, Any]:
    """Where and when the figures were measured."""
    head = Path(pouf_core.__file__).parent / "weights" / "pouf_lite_head.safetensors"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": {
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
        },
        "versions": recorded_versions(),
        "pouf_lite_head_sha256": hashlib.sha256(head.read_bytes()).hexdigest(),
    }


if __name__ == "__main__":
    typer.run(main)
