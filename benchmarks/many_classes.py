"""Peak memory of one prompt-tuning step with 1,000 classes on a text tower of ViT-B/16's size, with random weights.

Each figure is the peak resident memory of a process of its own. Prompts go through the tower in chunks whose
activations are recomputed for the gradient. What a step would take without chunks is extrapolated in a straight line
from steps with few classes, since a machine may not hold it.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from pouf_core.artifact import recorded_versions
from pouf_core.contract.classes import parse_class_names
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.open_clip_loading import open_clip
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.registry import describe
from pouf_core.objective import pouf_objective
from pouf_core.system.memory import keep_freed_memory

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
VISION = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32}
TOWERS = {"causal": {}, "attends to padding": {"no_causal_mask": True}}
BATCH_SIZE = 96
FEW = (32, 64)  # classes of the steps that the figure without chunks is extrapolated from
GIB = 2**30


def main(
    classes: Annotated[int, typer.Option(min=65, help="How many classes.")] = 1000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    tower: Annotated[list[str], typer.Option(help="Text towers to measure.")] = list(TOWERS),  # noqa: B006
    step: Annotated[str | None, typer.Option(help="Measure one step in this process.", hidden=True)] = None,
) -> None:
    """Measure both kinds of text tower and print a table."""
    if step:
        print(json.dumps(run_step(**json.loads(step))))
        return
    rows = [measure(kind, classes) for kind in tower]
    print_table(rows, classes)
    if json_file:
        json_file.write_text(json.dumps({**environment(), "classes": classes, "rows": rows}, indent=2) + "\n")


def measure(kind: str, classes: int) -> dict[str, Any]:
    """Peak memory with chunks, and without them by extrapolation."""
    chunked = in_a_process(kind=kind, classes=classes, prompts_at_once=None)
    few = [in_a_process(kind=kind, classes=count, prompts_at_once=count) for count in FEW]
    slope = (few[1]["peak_bytes"] - few[0]["peak_bytes"]) / (FEW[1] - FEW[0])
    return {
        "tower": kind,
        "positions": chunked["positions"],
        "prompts_at_once": chunked["prompts_at_once"],
        "idle_gib": chunked["idle_bytes"] / GIB,
        "peak_gib": chunked["peak_bytes"] / GIB,
        "estimated_peak_without_chunks_gib": (few[1]["peak_bytes"] + slope * (classes - FEW[1])) / GIB,
        "step_seconds": chunked["seconds"],
        "loss": chunked["loss"],
    }


def in_a_process(**step: Any) -> dict[str, Any]:
    """One step in a process of its own, whose memory starts from nothing."""
    command = [sys.executable, __file__, "--step", json.dumps(step)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def run_step(kind: str, classes: int, prompts_at_once: int | None) -> dict[str, Any]:
    """One step of prompt tuning against random target features."""
    keep_freed_memory()
    torch.manual_seed(0)
    network = open_clip.CustomTextCLIP(512, VISION, {**TEXT, **TOWERS[kind]})
    tokenizer = TextTokenizer(open_clip.SimpleTokenizer(context_length=TEXT["context_length"]))
    spec = describe("open_clip:ViT-B-16/random")
    model = ClipLikeModel(spec, network, lambda image: image, tokenizer, torch.device("cpu"))
    names = parse_class_names([f"number {number} of the things" for number in range(classes)])
    prompts = build_prompts(names, ["a photo of a {}."], tokenizer)
    at_once = prompts_at_once or model.prompts_within_memory(model.placed(prompts))
    context = torch.nn.Parameter(model.initial_context(prompts))
    optimizer = torch.optim.SGD([context], lr=1e-3, momentum=0.9, nesterov=True)
    features = torch.nn.functional.normalize(torch.randn(BATCH_SIZE, 512), dim=1)
    idle = peak_bytes()
    started = time.monotonic()
    similarity = features @ model.prototypes(prompts, context, at_once).T
    logits = similarity * model.logit_scale.exp()
    objective = pouf_objective(similarity, logits, logits)
    objective.loss.backward()
    optimizer.step()
    return {
        "positions": model.text.cut(prompts.tokens).shape[1],
        "prompts_at_once": at_once,
        "idle_bytes": idle,
        "peak_bytes": peak_bytes(),
        "seconds": time.monotonic() - started,
        "loss": objective.loss.item(),
    }


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def print_table(rows: list[dict[str, Any]], classes: int) -> None:
    """The rows, for people."""
    table = Table(title=f"One prompt-tuning step, {classes} classes, width 512, 12 layers, batch {BATCH_SIZE}")
    headings = ("text tower", "positions", "prompts at once", "idle GiB", "peak GiB", "without chunks GiB", "seconds")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row["tower"],
            str(row["positions"]),
            str(row["prompts_at_once"]),
            f"{row['idle_gib']:.2f}",
            f"{row['peak_gib']:.2f}",
            f"{row['estimated_peak_without_chunks_gib']:.1f}",
            f"{row['step_seconds']:.0f}",
        )
    Console().print(table)


def environment() -> dict[str, Any]:
    """Where and when the figures were measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": {"machine": platform.machine(), "cpus": os.cpu_count(), "threads": torch.get_num_threads()},
        "versions": recorded_versions(),
    }


if __name__ == "__main__":
    typer.run(main)
