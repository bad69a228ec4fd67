"""Whether everything works on this machine's GPU, and how fast: `make gpu-check`.

    python benchmarks/gpu_check.py --json benchmarks/results/gpu-check.json

Needs no network and less than 8 minutes. Every section runs in a process of its own; one that fails is recorded, the
others run, and the script ends with 1. Without a GPU a reduced form runs on the CPU, in this process; its figures say
nothing of a GPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clipart import environment
from gpu_checks import agreement, interruptions, modes, service, throughput
from gpu_checks.setting import Form, Setting, prepare
from rich.console import Console
from rich.table import Table

from pouf_core.system.memory import keep_freed_memory

RESULTS = Path(__file__).parent / "results"
SECTION_SECONDS = 150
MOST_WORDS = 3000  # of an error


def cuda_tests(setting: Setting) -> dict[str, Any]:
    """The tests that need a GPU."""
    if not setting.on_gpu:
        return {"summary": "not run: there is no GPU"}
    tests = Path(__file__).parent.parent / "tests" / "pouf_core"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "cuda",
        "-p",
        "no:cacheprovider",
        str(tests / "test_cuda.py"),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tests.parent.parent)
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    if done.returncode:
        raise RuntimeError(f"pytest ended with {done.returncode}: {summary}\n{done.stdout[-2000:]}")
    return {"summary": summary}


SECTIONS: dict[str, Callable[[Setting], dict[str, Any]]] = {
    "cuda tests": cuda_tests,
    "precision": agreement.precision,
    "memory": interruptions.memory,
    "resume": interruptions.resume,
    "tune modes": modes.random_model,
    "embedded models": modes.embedded_models,
    "job": service.job,
    "encoding": throughput.encoding,
    "training": throughput.training,
}


def main(
    sections: Annotated[list[str] | None, typer.Option("--section", help="Only this one; repeatable.")] = None,
    device: Annotated[str, typer.Option(help="cuda:N or cpu; auto takes the first GPU if there is one.")] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[Path | None, typer.Option(hidden=True, help="Run the section in this process.")] = None,
) -> None:
    """Run the sections and print a table; ends with 1 where one failed."""
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    form: Form = "full" if device.startswith("cuda") else "reduced"
    names = sections or list(SECTIONS)
    keep_freed_memory()
    if alone is not None:
        print(json.dumps(SECTIONS[names[0]](Setting(torch.device(device), form, alone))))
        return
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(torch.device(device), form, Path(folder))
        prepare(setting)
        rows = [run_section(name, setting) for name in names]
    figures = {**environment(), **hardware(device, form), "seconds": time.monotonic() - started, "sections": rows}
    print_table(rows, form)
    target = json_file or RESULTS / f"gpu-check-{'cpu-reduced' if form == 'reduced' else slug(figures['gpu'])}.json"
    target.write_text(json.dumps(figures, indent=2) + "\n")
    if any(row["failed"] for row in rows):
        raise typer.Exit(1)


def run_section(name: str, setting: Setting) -> dict[str, Any]:
    """A section's figures, or why it failed."""
    started = time.monotonic()
    figures, failed = apart(name, setting) if setting.on_gpu else here(name, setting)
    if failed is None and setting.on_gpu:
        failed = missed_claims(figures)
    took = time.monotonic() - started
    print(f"{name}: {'failed' if failed else 'fine'} ({took:.0f} s)", file=sys.stderr, flush=True)
    return {"section": name, "seconds": took, "failed": failed, "figures": figures}


def here(name: str, setting: Setting) -> tuple[dict[str, Any], str | None]:
    """A section's figures, or what it raised."""
    try:
        return SECTIONS[name](setting), None
    except Exception:  # noqa: BLE001 - whatever is wrong with a section, the others are to run
        return {}, traceback.format_exc()[-MOST_WORDS:]


def apart(name: str, setting: Setting) -> tuple[dict[str, Any], str | None]:
    """The same in a process of its own: what fails on a GPU may leave the process unable to use it."""
    options = ["--section", name, "--device", str(setting.device), "--alone", str(setting.folder)]
    command = [sys.executable, __file__, *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECTION_SECONDS)
    except subprocess.TimeoutExpired:
        return {}, f"not done in {SECTION_SECONDS} s"
    if done.returncode:
        return {}, done.stderr.strip()[-MOST_WORDS:] or f"ended with {done.returncode}"
    return json.loads(done.stdout.splitlines()[-1]), None


def missed_claims(figures: dict[str, Any]) -> str | None:
    """The claims that the figures do not bear out; None where there is none."""
    missed = []
    for name, (limit, kind) in throughput.CLAIMS.items():
        if name in figures and not (figures[name] <= limit if kind == "at most" else figures[name] >= limit):
            missed.append(f"{name} is {figures[name]:.3f}, where {kind} {limit} is claimed")
    return "; ".join(missed) or None


def hardware(device: str, form: Form) -> dict[str, Any]:
    """What it ran on."""
    if form == "reduced":
        return {"form": "reduced, on a CPU: the figures say nothing of a GPU", "device": device, "gpu": None}
    properties = torch.cuda.get_device_properties(torch.device(device))
    return {
        "form": "full",
        "device": device,
        "gpu": properties.name,
        "gpu_mib": properties.total_memory // 2**20,
        "cuda": torch.version.cuda,
        "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
    }


def slug(name: str) -> str:
    """A name as part of a file's."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def print_table(rows: Sequence[dict[str, Any]], form: Form) -> None:
    """The rows, for people."""
    title = "On the GPU" if form == "full" else "Reduced, on the CPU: the figures say nothing of a GPU"
    table = Table(title=title)
    for heading in ("section", "seconds", "result"):
        table.add_column(heading)
    for row in rows:
        lines = (row["failed"] or "fine").strip().splitlines()
        table.add_row(row["section"], f"{row['seconds']:.0f}", lines[-1])
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
