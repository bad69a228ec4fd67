"""How near the embedded encoders come to what one core can compute, and so the most items a second to be had.

    python benchmarks/processor.py --json benchmarks/results/processor.json

The most that a core can compute is taken from a large matrix product. All is processor time of one thread, which other
work on the machine changes least.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import psutil
import torch
import typer
from clipart import environment
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.engines.interface import EngineOffer
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.loading import load_base_model
from pouf_core.system.memory import keep_freed_memory

SIDE = 1024  # of the matrices
TOKENS = 16  # of a short text
ITEMS_AT_ONCE = (1, 8, 32)
ENGINES = {"torch": None, "openvino": EngineOffer()}


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure and print a table."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with torch.inference_mode():
        most = largest_rate(rounds)
        rows = [row for name in ("pouf-lite", "minilm") for row in measured(name, rounds, most)]
    print_table(rows, most)
    if json_file:
        figures = {**environment(), "rounds": rounds, "gflop_per_second_of_a_core": most, "rows": rows}
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def largest_rate(rounds: int) -> float:
    """Most thousand million operations a second of one thread in a matrix product."""
    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    return 2 * SIDE**3 / 1e9 / min(seconds(lambda: left @ right) for _ in range(rounds))


def measured(name: str, rounds: int, most: float) -> Iterator[dict[str, Any]]:
    """A base model's item tower by each engine, in turns."""
    models = {engine: load_base_model(name) for engine in ENGINES}
    towers: dict[str, FrozenNetwork] = {}
    for engine, model in models.items():
        assert isinstance(model, CosineModel)
        model.offer_engine(ENGINES[engine])
        towers[engine] = model.frozen
        towers[engine](inputs(name, max(ITEMS_AT_ONCE)), torch.float32)  # converts, and compares with PyTorch
        if towers[engine].used(torch.float32).name != engine:
            raise RuntimeError(f"{engine} does not run {name}")
    for at_once in ITEMS_AT_ONCE:
        items = inputs(name, at_once)
        with FlopCounterMode(display=False) as counter:
            towers["torch"](items, torch.float32)
        operations = counter.get_total_flops() / 1e9
        turns = [
            {engine: seconds(lambda: tower(items, torch.float32)) for engine, tower in towers.items()}  # noqa: B023
            for _ in range(rounds)
        ]
        for engine in ENGINES:
            taken = statistics.median(turn[engine] for turn in turns)
            yield {
                "base_model": name,
                "engine": engine,
                "at_once": at_once,
                "gflop_an_item": operations / at_once,
                "processor_ms_an_item": 1000 * taken / at_once,
                "share_of_most": operations / taken / most,
                "times_torch": statistics.median(turn["torch"] / turn[engine] for turn in turns),
                "most_a_second": (psutil.cpu_count() or 1) * most * at_once / operations,
            }


def inputs(name: str, count: int) -> Tensor:
    """Pixels of so many pictures, or tokens of so many short texts."""
    generator = torch.Generator().manual_seed(count)
    if name == "minilm":
        return torch.randint(1000, 20_000, (count, TOKENS), generator=generator)
    return torch.randn(count, 3, 224, 224, generator=generator)


def seconds(work: Callable[[], object]) -> float:
    """Processor time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def print_table(rows: list[dict[str, Any]], most: float) -> None:
    """The rows, for people."""
    title = f"One thread, of at most {most:.1f} GFLOP/s"
    table = Table("", "engine", "at once", "GFLOP", "processor ms", "of the most", "times torch", title=title)
    for row in rows:
        numbers = (f"{row['gflop_an_item']:.2f}", f"{row['processor_ms_an_item']:.1f}", f"{row['share_of_most']:.2f}")
        table.add_row(row["base_model"], row["engine"], str(row["at_once"]), *numbers, f"{row['times_torch']:.2f}")
    console = Console(width=110)
    console.print(table)
    for name, least in {row["base_model"]: row["most_a_second"] for row in rows}.items():
        console.print(f"{name}: at most {least:.0f} items a second, if all cores did nothing else")


if __name__ == "__main__":
    typer.run(main)
