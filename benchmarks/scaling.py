"""What an adaptation costs against items, classes, steps and the size of pictures, with a line fitted through each.

    python benchmarks/scaling.py --json benchmarks/results/scaling.json

One of the four grows while the others stay. Each adaptation runs in a process of its own with one thread, and costs are
processor seconds, which other work on the machine changes little. The line is fitted by least squares. The exponent is
the slope between the logarithms of the two largest sizes, once what the line says of size 0 is taken off: 1 where cost
grows with size, 2 where it grows with its square.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clipart import environment
from closed_form_size import clusters
from measuring import in_a_process, peak_mib
from PIL import Image
from rich.console import Console
from rich.table import Table

import pouf_core

ITEMS, CLASSES, STEPS, PICTURES = 8_000, 100, 400, 64
SWEEPS = {
    "items": (4_000, 8_000, 16_000, 32_000, 64_000),
    "classes": (50, 200, 800, 3_200),
    "steps": (400, 800, 1_600, 3_200),
    "megapixels": (0.25, 1.0, 4.0, 12.0),
}


def main(
    sweep: Annotated[list[str], typer.Option(help="What grows; repeatable.")] = list(SWEEPS),  # noqa: B006
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[float | None, typer.Option(hidden=True, help="Measure this size in this process.")] = None,
) -> None:
    """Measure every sweep and print a table."""
    if alone is not None:
        print(json.dumps(measure(sweep[0], alone)))
        return
    found = {name: swept(name) for name in sweep}
    print_table(found)
    if json_file:
        fixed = {"items": ITEMS, "classes": CLASSES, "steps": STEPS, "pictures": PICTURES}
        json_file.write_text(json.dumps({**environment(), "fixed": fixed, "sweeps": found}, indent=2) + "\n")


def swept(name: str) -> dict[str, Any]:
    """The costs of every size, and the line through them."""
    rows = [in_a_process(__file__, "--sweep", name, "--alone", str(size)) for size in SWEEPS[name]]
    sizes = [row["size"] for row in rows]
    seconds, memory = ([row[key] for row in rows] for key in ("processor_seconds", "added_mib"))
    return {"rows": rows, "seconds": fitted(sizes, seconds), "mib": fitted(sizes, memory)}


def fitted(sizes: list[float], costs: list[float]) -> dict[str, float | None]:
    """The line by least squares, and the exponent; None where the costs do not grow."""
    slope, start = np.polyfit(sizes, costs, 1)
    above = [cost - max(start, 0.0) for cost in costs[-2:]]
    growing = 0 < above[0] < above[1]
    exponent = math.log(above[1] / above[0]) / math.log(sizes[-1] / sizes[-2]) if growing else None
    return {"at_0": float(start), "per_1": float(slope), "exponent": exponent}


def measure(name: str, size: float) -> dict[str, Any]:
    """Processor seconds and memory of one adaptation, after its data is there."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        if name == "megapixels":
            data, options = pictures(Path(folder), size), {"class_names": ["stripes", "noise"]}
            run: Any = pouf_core.adapt
        else:
            items = int(size) if name == "items" else ITEMS
            features, class_features, _ = clusters(items, int(size) if name == "classes" else CLASSES)
            data, options, run = features, {"class_features": class_features}, pouf_core.adapt_features
            if name == "steps":
                options["method"] = {"tune": "prototypes", "max_steps": int(size), "selection": "last"}
        before, processor, started = peak_mib(), time.process_time(), time.monotonic()
        run(data, **options, out=out, threads=1)
        return {
            "size": size,
            "processor_seconds": time.process_time() - processor,
            "seconds": time.monotonic() - started,
            "added_mib": peak_mib() - before,
        }


def pictures(folder: Path, megapixels: float) -> list[Path]:
    """JPEGs of so many pixels each, half of them striped."""
    side, random = round(1000 * math.sqrt(megapixels)), np.random.default_rng(0)
    paths = []
    for number in range(PICTURES):
        coarse = random.integers(0, 256, (8, 8 if number % 2 else 1, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(buffer.getvalue())
    return paths


def print_table(found: dict[str, Any]) -> None:
    """The lines, for people."""
    table = Table(title="What an adaptation costs, by processor seconds of one thread and by memory")
    for heading in ("what grows", "from", "to", "s", "s for 1 more", "exponent", "MiB", "MiB for 1 more"):
        table.add_column(heading, justify="right")
    for name, sweep in found.items():
        rows, seconds, memory = sweep["rows"], sweep["seconds"], sweep["mib"]
        exponent = seconds["exponent"]
        table.add_row(
            name,
            f"{rows[0]['size']:,g}",
            f"{rows[-1]['size']:,g}",
            f"{rows[0]['processor_seconds']:.1f} to {rows[-1]['processor_seconds']:.1f}",
            f"{seconds['per_1']:.2g}",
            "" if exponent is None else f"{exponent:.2f}",
            f"{rows[0]['added_mib']:.0f} to {rows[-1]['added_mib']:.0f}",
            f"{memory['per_1']:.2g}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
