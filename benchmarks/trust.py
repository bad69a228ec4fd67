"""Does the default preset help, does it harm, and is the verdict right? Picture tasks x skews x seeds.

    python benchmarks/trust.py --emoji DIR --head FILE --json benchmarks/results/trust.json --plot trust.png

Runs are kept in `--cells` as they finish, so that an interrupted benchmark goes on where it was, and so that several
processes may share the work (`--method`). Labels are used to measure and for nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clipart import environment
from PIL import Image
from trust_report import print_report, save_plot, summarise
from trust_tasks import LEAST_ITEMS, SKEWS, Source, Task, clip_art, emoji_tasks, skewed

import pouf_core
from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.artifact import load_artifact
from pouf_core.data.images import decode_image
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.pouf_lite_network import load_pouf_lite
from pouf_core.families.registry import describe
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.predictor import Prediction, Predictor
from pouf_core.system.memory import keep_freed_memory
from pouf_core.variants import VARIANTS

METHODS = ("prior-matching", "default")  # a tune mode may follow a preset: `default:head`


def main(
    emoji: Annotated[Path | None, typer.Option(help="Directory of emoji npz files and table.tsv.")] = None,
    style: Annotated[list[str], typer.Option(help="Emoji styles, pooled.")] = ["fluent-emoji", "fxemoji"],  # noqa: B006
    head: Annotated[Path | None, typer.Option(help="A head of pouf-lite in place of the shipped one.")] = None,
    all_emoji: Annotated[bool, typer.Option(help="Show emoji that the head has seen too.")] = False,
    method: Annotated[list[str], typer.Option(help="Methods to run; `paper` takes days on a CPU.")] = list(METHODS),  # noqa: B006
    task: Annotated[list[str], typer.Option(help="Tasks to run; all by default.")] = [],  # noqa: B006
    skew: Annotated[list[str], typer.Option(help="Skews to run.")] = list(SKEWS),  # noqa: B006
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    paper_steps: Annotated[int, typer.Option(help="Steps of preset `paper`; 5000 is the recipe.")] = 5000,
    cells: Annotated[Path | None, typer.Option(help="Keep runs here (JSON lines) and take up from them.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the gains here (png or svg).")] = None,
) -> None:
    """Run what is missing, then print the table of everything that has been run."""
    keep_freed_memory()
    tasks = [clip_art()] + (emoji_tasks(emoji, style, hidden_only=not all_emoji) if emoji else [])
    tasks = [one for one in tasks if not task or one.name in task]
    store = CellStore(cells or Path(tempfile.mkdtemp()) / "cells.jsonl")
    base = load_pouf_lite(describe("pouf-lite"), torch.device("cpu"), head)
    cache = FeatureCache()
    encoded = EncodedPictures(base)
    for one in tasks:
        for one_skew in skew:
            for seed in range(seeds):
                for name in method:
                    key = (one.name, one_skew, seed, f"{name}@{paper_steps}" if name.startswith("paper") else name)
                    if key not in store.done:
                        cell = run(base, cache, encoded, skewed(one, one_skew, seed), name, seed, paper_steps)
                        store.add({"task": one.name, "skew": one_skew, "seed": seed, **cell, "method": key[3]})
    runs = [cell for cell in store.cells() if len(cell["labels"]) >= LEAST_ITEMS]
    summary = summarise(runs)
    print_report(summary)
    if json_file:
        setting = {"styles": style, "head": head.name if head else "shipped", "all_emoji": all_emoji}
        json_file.write_text(json.dumps({**environment(), **setting, **summary}, indent=1) + "\n")
    if plot:
        save_plot(summary, plot)


def _settings(method: str, paper_steps: int) -> dict[str, Any]:
    if method == "prior-matching":
        return {"type": method}
    preset, _, tune = method.partition(":")
    steps = {"max_steps": paper_steps} if preset == "paper" else {}
    return {"preset": preset, "tune": tune or "prompt"} | steps


def _answers(predictor: Predictor, encoded: EncodedPictures, pictures: list[Source], variant: str) -> list[Prediction]:
    """Predictions of a variant; pictures are encoded anew only for an image encoder of its own."""
    if predictor.encoder(variant).key == predictor.encoder("zero_shot").key:
        return predictor.classify(encoded(pictures), 1, variant)
    return predictor.predict(pictures, 1, variant)


class EncodedPictures:
    """Zero-shot features of pictures, encoded once; prompt tuning leaves them as they are."""

    def __init__(self, base: ClipLikeModel) -> None:
        self._base = base
        self._rows: dict[int, torch.Tensor] = {}

    def __call__(self, pictures: list[Source]) -> torch.Tensor:
        """Features [n, d]; the pictures must live as long as this does."""
        missing = [picture for picture in pictures if id(picture) not in self._rows]
        for start in range(0, len(missing), ENCODE_BATCH):
            part = missing[start : start + ENCODE_BATCH]
            images = [picture if isinstance(picture, Image.Image) else decode_image(picture) for picture in part]
            with torch.inference_mode():
                rows = self._base.encode_images(torch.stack([self._base.transform(image) for image in images]))
            self._rows |= {id(picture): row for picture, row in zip(part, rows, strict=True)}
        return torch.stack([self._rows[id(picture)] for picture in pictures])


def run(
    base: ClipLikeModel,
    cache: FeatureCache,
    encoded: EncodedPictures,
    task: Task,
    method: str,
    seed: int,
    paper_steps: int,
) -> dict[str, Any]:
    """Predictions, verdict and seconds of one method on one task."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        result = pouf_core.adapt(
            task.pictures,
            task.class_names,
            base_model=base,
            method=_settings(method, paper_steps),
            seed=seed,
            out=Path(directory) / "model",
            feature_cache=cache,
        )
        predictor = Predictor(load_artifact(result.path), base)
        answers = {variant: _answers(predictor, encoded, task.pictures, variant) for variant in VARIANTS}
    served = "zero_shot" if result.fallback else "adapted"
    return {
        "labels": task.labels.tolist(),
        "class_count": len(task.class_names),
        "verdict": result.verdict,
        "reasons": [reason["code"] for reason in result.verdict_reasons],
        "selected_step": result.selected_step,
        "judged_by": predictor.manifest["judged_by"],
        "served": served,
        "seconds": time.monotonic() - started,
        **{
            variant: {
                "predicted": [answer.class_index for answer in rows],
                "score": [round(answer.score, 4) for answer in rows],
            }
            for variant, rows in answers.items()
        },
    }


class CellStore:
    """Finished runs in a file of JSON lines that several processes may append to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        self.done = {(cell["task"], cell["skew"], cell["seed"], cell["method"]) for cell in self.cells()}

    def cells(self) -> list[dict[str, Any]]:
        """Every run in the file."""
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def add(self, cell: dict[str, Any]) -> None:
        """Append a run, and say so."""
        line = json.dumps(cell) + "\n"
        with self._path.open("a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        right = {v: np.mean(np.equal(cell[v]["predicted"], cell["labels"])) for v in ("zero_shot", "adapted")}
        typer.echo(
            f"{cell['task']}, {cell['skew']}, seed {cell['seed']}, {cell['method']}: n {len(cell['labels'])}, "
            f"zero-shot {right['zero_shot']:.1%}, adapted {right['adapted']:.1%}, {cell['verdict']}, "
            f"{cell['seconds']:.0f} s",
            err=True,
        )


if __name__ == "__main__":
    typer.run(main)
