"""Seconds that each transport takes, forward and backward, beside the image encoder of `pouf-lite`.

On a CPU they are seconds of processor time, summed over threads, which other load on the machine leaves alone.
The encoder is measured on one micro-batch and extrapolated to the batch; a batch larger than a micro-batch is encoded
twice (gradient caching). Combinations that would take longer than a limit, going by smaller ones, are left out and
named.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clipart import environment
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pouf_core.adaptation.resolving import resolve
from pouf_core.contract.method import MethodSpec, ResolvedMethod
from pouf_core.families.loading import load_base_model
from pouf_core.objective import pouf_objective
from pouf_core.system.memory import keep_freed_memory
from pouf_core.transport import build_transport

TRANSPORTS = ("conditional", "sinkhorn", "emd", "unbalanced", "partial")
MICRO_BATCH = 32
LOGIT_SCALE = 30.0
REPEATS = 3


def main(
    batch: Annotated[list[int], typer.Option(help="Batch sizes B.")] = [96, 256, 1024, 4096],  # noqa: B006
    classes: Annotated[list[int], typer.Option(help="Class counts K.")] = [10, 100, 1000],  # noqa: B006
    limit: Annotated[float, typer.Option(help="Leave out what would take longer than this, in seconds.")] = 20.0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure every transport at every B and K and print a table."""
    keep_freed_memory()
    where = torch.device(device)
    encoder = measure_encoder(where)
    rows = [
        {"batch": b, "classes": k, "encoder_seconds": encoder * b / MICRO_BATCH, "seconds": {}, "left_out_seconds": {}}
        for b in sorted(batch)
        for k in sorted(classes)
    ]
    for name in TRANSPORTS:
        measure_transport(name, rows, where, limit)
    print_table(rows, limit)
    if json_file:
        figures = {
            **environment(),
            "device": str(where),
            "threads": torch.get_num_threads(),
            "encoder": f"pouf-lite, {MICRO_BATCH} items measured, two forward passes and a backward one, extrapolated",
            "limit_seconds": limit,
            "rows": rows,
        }
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def measure_encoder(device: torch.device) -> float:
    """Seconds of one micro-batch through the image encoder of `pouf-lite` where it is trained."""
    base = load_base_model("pouf-lite", device)
    base.network.requires_grad_(True)
    pixels = torch.rand(MICRO_BATCH, 3, base.image_size, base.image_size, generator=torch.Generator().manual_seed(0))

    def encode() -> None:
        with torch.no_grad():
            base.encode_images(pixels)
        base.encode_images(pixels).sum().backward()

    return median_seconds(encode, device)


def measure_transport(name: str, rows: list[dict[str, Any]], device: torch.device, limit: float) -> None:
    """Add the seconds of one transport to every row, or what is expected of it where that is beyond the limit."""
    growth = 1.5 if name in ("emd", "partial") else 1.0  # with the number of entries of the plan
    measured: dict[int, float] = {}
    for row in sorted(rows, key=lambda row: row["batch"] * row["classes"]):
        entries = row["batch"] * row["classes"]
        nearest = max(measured, default=None)
        expected = measured[nearest] * (entries / nearest) ** growth if nearest else 0.0
        if expected > limit:
            row["left_out_seconds"][name] = expected
        else:
            row["seconds"][name] = measured[entries] = measure(name, row["batch"], row["classes"], device)


def measure(name: str, batch: int, classes: int, device: torch.device) -> float:
    """Median seconds of the whole objective, forward and backward."""
    method = resolved(name, classes)
    transport = build_transport(method)
    similarity = plausible_similarity(batch, classes).to(device).requires_grad_()

    def step() -> None:
        logits = LOGIT_SCALE * similarity
        pouf_objective(similarity, logits, logits, transport=transport).loss.backward()

    return median_seconds(step, device)


def resolved(transport: str, classes: int) -> ResolvedMethod:
    """The default preset with this transport and a uniform prior."""
    return resolve(
        MethodSpec.model_validate({"tune": "prompt", "transport": transport, "class_prior": "uniform"}),
        torch.full((classes,), 1 / classes),
        item_count=2,
        kind="image",
        context_scale=1.0,
        device=torch.device("cpu"),
        threads=torch.get_num_threads(),
        micro_batch_size=None,
    )


def plausible_similarity(batch: int, classes: int, width: int = 384) -> Tensor:
    """Cosines [B, K] of features that lean towards one of K prototypes."""
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.nn.functional.normalize(torch.randn(classes, width, generator=generator), dim=1)
    noise = torch.nn.functional.normalize(torch.randn(batch, width, generator=generator), dim=1)
    own = prototypes[torch.randint(classes, (batch,), generator=generator)]
    return torch.nn.functional.normalize(0.4 * own + noise, dim=1) @ prototypes.T


def median_seconds(call: Callable[[], None], device: torch.device) -> float:
    """Median over a few calls, after one that warms up."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    seconds = []
    for _ in range(REPEATS + 1):
        started = clock()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(clock() - started)
    return statistics.median(seconds[1:])


def print_table(rows: list[dict[str, Any]], limit: float) -> None:
    """The rows, for people."""
    table = Table(title=f"Seconds a step; encoder extrapolated; (left out: would take more than {limit:g} s)")
    for heading in ("B", "K", "encoder", *TRANSPORTS):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cells = [
            f"{row['seconds'][name]:.3f}" if name in row["seconds"] else f"({row['left_out_seconds'][name]:.0f})"
            for name in TRANSPORTS
        ]
        table.add_row(str(row["batch"]), str(row["classes"]), f"{row['encoder_seconds']:.1f}", *cells)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
