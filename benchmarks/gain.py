"""How much closed forms gain, and how good the gain estimated without labels is: tasks x skews x seeds x methods.

    python benchmarks/gain.py --features dtd.npz --features cars.npz --emoji DIR --cells cells.jsonl --json gain.json
    python benchmarks/gain.py ... --fit

Features are those of pairs of pictures and texts (`--features`), clip art and emoji by `pouf-lite` (`--emoji`), and
four kinds of texts by `minilm`, which are fetched. Each task of at least ten classes has variants, with some of its
classes or a quarter of its items. Every closed form is fitted in every cell; its true gain is set against the estimate
by `GAIN_ROWS`, by rows fitted without the task's family, and by rows fitted to half of the families, for choosing, and
reported on the other half. A family is all that shares items or classes: every encoder of a set, every style of a kind
of emoji, every wording of a kind of texts. Labels are used to measure and to fit `GAIN_ROWS`, for nothing else.

`auto` is here the choice among closed forms. Where none is sure to gain, a job with `pouf-lite` or `minilm` goes on to
POUF, see `trust.py` and `texts.py`.
"""

from __future__ import annotations

import json
import math
import tempfile
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clipart import environment
from gain_measure import GainCells, code_fingerprint
from gain_report import print_report, print_rows, summarise
from gain_tasks import FeatureTask, feature_tasks, picture_tasks, text_tasks, variants

from pouf_core.system.memory import keep_freed_memory

CAUTION = (
    "The constants of the closed forms were chosen with a view of WHU-RS19, DTD and Stanford Cars, of emoji and texts, "
    "and the committed rows were fitted to families that are reported here: neither is a test on unseen data. Rows "
    "fitted without a family, or to the choosing half, have not seen the gains that they are compared with."
)


def main(
    features: Annotated[list[Path], typer.Option(help="npz files with image, text and label; repeat it.")] = [],  # noqa: B006
    emoji: Annotated[Path | None, typer.Option(help="Directory of emoji npz files and table.tsv.")] = None,
    pictures: Annotated[bool, typer.Option(help="Clip art and emoji by pouf-lite.")] = True,
    texts: Annotated[bool, typer.Option(help="Four kinds of texts by minilm.")] = True,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 5,
    train: Annotated[list[str], typer.Option(help="POUF tune modes over `--features`; only `prototypes`.")] = [],  # noqa: B006
    encoded: Annotated[Path | None, typer.Option(help="Keep encoded features in this folder.")] = None,
    texts_folder: Annotated[Path, typer.Option(help="Where the fetched texts lie.")] = Path(".pouf/demo/texts"),
    cells: Annotated[Path | None, typer.Option(help="Keep cells here (JSON lines) and take up from them.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Most cells are too small for several.")] = 1,
    fit: Annotated[bool, typer.Option(help="Print the rows fitted to every family.")] = False,
) -> None:
    """Measure what is missing, then report on all of it."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    scratch = Path(tempfile.mkdtemp())
    folder = encoded or scratch / "encoded"
    tasks = feature_tasks(features) if features else []
    tasks += picture_tasks(emoji, folder) if pictures else []
    tasks += text_tasks(texts_folder, folder) if texts else []
    store = GainCells(cells or scratch / "cells.jsonl")
    found = []
    for task in _with_variants(tasks):
        found += list(store.measured([task], seeds, train))
        typer.echo(f"{task.name}: {len(task.labels)} items, {len(task.prototypes)} classes", err=True)
    summary = summarise(found)
    print_report(summary)
    if fit:
        print_rows(summary)
    if json_file:
        setting = {"seeds": seeds, "code": code_fingerprint(), "threads": torch.get_num_threads(), "caution": CAUTION}
        figures = {**environment(), **setting, **summary}
        json_file.write_text(json.dumps(rounded(figures), indent=1) + "\n")


def _with_variants(tasks: list[FeatureTask]) -> list[FeatureTask]:
    return list(chain.from_iterable((task, *variants(task)) for task in tasks))


def rounded(value: Any) -> Any:
    """Numbers to three places; JSON has none that is not finite."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value


if __name__ == "__main__":
    typer.run(main)
