"""How long a default job takes through the service, the first and the second time over the same pictures.

    python benchmarks/cold_and_warm.py --json benchmarks/results/cold-and-warm.json

The service is `pouf up` with its default settings. With `--baseline DIRECTORY`, a checkout of another version, both
services take turns; each is told nothing while the other works. A first job is always over pictures that its service
has not seen. They are cut from `examples/clipart`, each by its number alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from clipart import CLIPART, environment, load_pictures
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from cli.temporary_service import RunningService, temporary_service
from pouf_client import Client

ROOT = Path(__file__).parent.parent
THIS, BASELINE = "this version", "baseline"
POLL_SECONDS = 0.03
#: For what a service prepares beside its API, such as the process that jobs begin from, and converted base models.
SETTLE_SECONDS = 20.0
LONGEST_SECONDS = 1800.0


def main(
    baseline: Annotated[Path | None, typer.Option(help="Checkout of another version, to be measured too.")] = None,
    pictures: Annotated[list[int], typer.Option(help="How many pictures a job has, repeatable.")] = [60, 3000],  # noqa: B006
    turns: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    settle: Annotated[float, typer.Option(min=0, help="Seconds that a service gets to prepare.")] = SETTLE_SECONDS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure both in turns and print a table."""
    trees = {THIS: ROOT, **({BASELINE: baseline.absolute()} if baseline else {})}
    measured: list[dict[str, Any]] = []
    used = 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        running = {name: stack.enter_context(service(tree, Path(folder) / name)) for name, tree in trees.items()}
        time.sleep(settle)
        for turn in range(turns):
            for count in pictures:
                paths = cut(count, used, Path(folder) / f"{count}-{turn}")
                used += variants_of(count)
                for name in trees if turn % 2 == 0 else reversed(trees):
                    found = measure(running[name].url, paths)
                    measured.append({"version": name, "pictures": count, "turn": turn, **found})
                    print(measured[-1], flush=True)
    rows = [summary(name, count, measured) for count in pictures for name in trees]
    print_table(rows)
    if json_file:
        figures = {**environment(), "turns": turns, "rows": rows, "measured": measured}
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


@contextlib.contextmanager
def service(tree: Path, data: Path) -> Iterator[RunningService]:
    """`pouf up` of a checkout, over a directory of its own."""
    before = os.environ.get("PYTHONPATH")
    with ExitStack() as stack:
        # Its parts run in another folder, so that the checkout has to be named; the first is started in this one.
        os.environ["PYTHONPATH"] = str(tree)
        try:
            with contextlib.chdir(tree):
                running = stack.enter_context(temporary_service(data))
        finally:
            os.environ.pop("PYTHONPATH")
            if before is not None:
                os.environ["PYTHONPATH"] = before
        yield running


def variants_of(count: int) -> int:
    """How many different parts of a picture it takes for so many pictures."""
    return -(-count // len(load_pictures(CLIPART)[0]))


def cut(count: int, used: int, folder: Path) -> list[Path]:
    """Real pictures that no earlier set has: parts of those of `examples/clipart`, nine tenths of each side.

    Args:
        count: how many.
        used: variants of a picture that earlier sets have had.
        folder: where to put them.
    """
    folder.mkdir()
    sources, _ = load_pictures(CLIPART)
    paths = []
    for number in range(count):
        source, variant = sources[number % len(sources)], used + number // len(sources)
        with Image.open(source) as opened:
            picture = opened.convert("RGB")
        width, height = (round(0.9 * side) for side in picture.size)
        # Every variant is another part, or, after 64, its mirror image.
        left = (picture.width - width) * (variant % 8) // 7
        upper = (picture.height - height) * (variant // 8 % 8) // 7
        part = picture.crop((left, upper, left + width, upper + height))
        if variant // 64 % 2:
            part = ImageOps.mirror(part)
        path = folder / f"{number:05}.jpg"
        part.save(path, quality=90)
        paths.append(path)
    return paths


def measure(url: str, paths: Sequence[Path]) -> dict[str, float]:
    """Seconds of two jobs over one new dataset, from the request to the answer that it has succeeded."""
    with Client(url) as client:
        dataset = client.datasets.create(list(paths), wait=True)
        class_names = sorted({label.replace("_", " ") for label in load_pictures(CLIPART)[1]})
        return {which: job_seconds(client, dataset.id, class_names) for which in ("first", "second")}


def job_seconds(client: Client, dataset_id: str, class_names: list[str]) -> float:
    """How long a job of default settings takes.

    Raises:
        RuntimeError: it does not succeed.
    """
    started = time.perf_counter()
    job = client.jobs.create(dataset_id, class_names)
    while job.status not in ("succeeded", "failed", "cancelled"):
        if time.perf_counter() - started > LONGEST_SECONDS:
            break
        time.sleep(POLL_SECONDS)
        job = client.jobs.get(job.id)
    seconds = time.perf_counter() - started
    if job.status != "succeeded":
        raise RuntimeError(f"Job {job.id} is {job.status} after {seconds:.0f} s.")
    return seconds


def summary(name: str, count: int, measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the turns, and of this version's ratio to the baseline within each turn."""
    own = [found for found in measured if (found["version"], found["pictures"]) == (name, count)]
    row: dict[str, Any] = {"version": name, "pictures": count}
    for which in ("first", "second"):
        row[which] = statistics.median(found[which] for found in own)
    others = {f["turn"]: f for f in measured if (f["version"], f["pictures"]) == (BASELINE, count)}
    if name == THIS and others:
        for which in ("first", "second"):
            row[f"{which}_of_baseline"] = statistics.median(f[which] / others[f["turn"]][which] for f in own)
    return row


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """The rows, for people."""
    table = Table("pictures", "version", "first job, s", "second job, s", "first of baseline", "second of baseline")
    for row in rows:
        ratios = [f"{row[key]:.2f}" if key in row else "" for key in ("first_of_baseline", "second_of_baseline")]
        table.add_row(str(row["pictures"]), row["version"], f"{row['first']:.1f}", f"{row['second']:.1f}", *ratios)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
