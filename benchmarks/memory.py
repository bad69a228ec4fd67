"""Peak memory of one training step: a large objective batch in micro-batches beside a plain batch of one micro-batch.

Each is measured in a process of its own on `examples/clipart` with `pouf-lite` and `tune: "model"`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clipart import CLIPART, environment, load_pictures
from rich.console import Console
from rich.table import Table

from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.resolving import resolve
from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.classes import parse_class_names, parse_templates
from pouf_core.contract.method import MethodSpec
from pouf_core.data.items import collect_items
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.loading import load_base_model

STEPS = 2
CLAIM = 1.3


def main(
    batch: Annotated[int, typer.Option(min=1, max=519, help="Items in the objective.")] = 512,
    micro_batch: Annotated[int, typer.Option(min=1, help="Items encoded at once; also the plain batch.")] = 32,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[bool, typer.Option(hidden=True, help="Measure in this process and print the figures.")] = False,
) -> None:
    """Measure both and print a table."""
    if alone:
        print(json.dumps(measure(batch, micro_batch, device)))
        return
    rows = [measure_apart(size, micro_batch, device) for size in (micro_batch, batch)]
    ratio = rows[1]["peak_mib"] / rows[0]["peak_mib"]
    added = rows[1]["added_mib"] / rows[0]["added_mib"]
    print_table(rows, ratio, added)
    if json_file:
        figures = {**environment(), "device": device, "rows": rows, "peak_ratio": ratio, "added_ratio": added}
        json_file.write_text(json.dumps({**figures, "claimed_ratio": CLAIM}, indent=2) + "\n")


def measure_apart(batch: int, micro_batch: int, device: str) -> dict[str, Any]:
    """`measure` in a fresh process."""
    options = ["--batch", str(batch), "--micro-batch", str(micro_batch), "--device", device, "--alone"]
    done = subprocess.run([sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(batch: int, micro_batch: int, device: str) -> dict[str, Any]:
    """Peak memory in MiB of a few steps, and how much of it the steps added to the loaded model."""
    where = torch.device(device)
    paths, truth = load_pictures(CLIPART)
    items, _ = collect_items(paths)
    base = load_base_model("pouf-lite", where)
    classes = parse_class_names(sorted(set(truth)))
    spec = MethodSpec.model_validate({"tune": "model", "class_prior": "uniform", "batch_size": batch})
    method = resolve(
        spec,
        torch.full((len(classes),), 1 / len(classes)),
        item_count=len(items),
        kind="image",
        context_scale=1.0,
        device=where,
        threads=torch.get_num_threads(),
        micro_batch_size=micro_batch,
    )
    learner = Learner(base, build_prompts(classes, parse_templates(None), base.tokenizer), method)
    views = ImageViews("flip", base.transform, base.image_size, base.image_mean, base.image_std, seed=0)
    gradient = BatchGradient(learner, ComputedFeatures(base, items, views, views=2), method, lambda: None)
    loaded = peak_mib(where)
    for epoch in range(STEPS):
        base.network.zero_grad(set_to_none=True)
        gradient([(index, epoch) for index in range(batch)], None, micro_batch)
    peak = peak_mib(where)
    return {"batch": batch, "micro_batch": micro_batch, "peak_mib": peak, "added_mib": peak - loaded}


def peak_mib(device: torch.device) -> float:
    """Peak so far: resident memory of this process, or allocated memory of the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def print_table(rows: list[dict[str, Any]], ratio: float, added: float) -> None:
    """The rows, for people."""
    table = Table(title=f"Peak {ratio:.2f} times that of the plain batch, {added:.2f} without the loaded model")
    for heading in ("objective batch", "encoded at once", "peak MiB", "of which the steps added"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(str(row["batch"]), str(row["micro_batch"]), f"{row['peak_mib']:.0f}", f"{row['added_mib']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
