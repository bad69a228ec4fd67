"""What a review of some items is worth: intervals, thresholds and wrong items found, on labelled sets.

    python benchmarks/audits.py --features dtd.npz --features cars.npz --json audits.json

The sets are features of pairs of pictures and texts (`--features`), as for `gain.py`, and clip art by `pouf-lite`,
adapted as `adapt_features` does by default. People answer by the labels. The constants of `pouf_core/audit/` were
chosen on the sets named in `CHOOSING`; figures are of all. 200 draws of 80 answers a set are compared with 200 plain
random samples of 80.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clipart import environment
from gain import rounded
from gain_tasks import FeatureTask, feature_tasks, picture_tasks
from scipy.stats import binomtest

import pouf_core
from pouf_core.audit.estimation import Answered, estimate
from pouf_core.audit.frame import Frame
from pouf_core.audit.intervals import CONFIDENCE
from pouf_core.audit.sampling import Drawn, draw
from pouf_core.contract.audit import AuditEstimate
from pouf_core.predictions.clusters import Clustering
from pouf_core.predictions.stored import MOST_MAPPED

CHOOSING = ("whurs19_CLIP_ViT-B-32", "dtd", "clip art")
ANSWERS, DRAWS, FOUND_BY = 80, 200, 40
WISHES = (0.8, 0.9, 0.95)


@dataclass(frozen=True)
class LabelledSet:
    """A set with the predictions of its items and their labels [N]."""

    name: str
    frame: Frame
    labels: np.ndarray

    def answered(self, drawn: Drawn) -> Answered:
        """The answers of somebody who knows the labels."""
        rows = drawn.rows
        frame = self.frame
        return Answered(
            drawn.strata, self.labels[rows], frame.adapted[rows], frame.zero_shot[rows], frame.probability[rows]
        )


def labelled_set(task: FeatureTask) -> LabelledSet:
    """Adapt the task's prototypes to its features, and predict."""
    features = task.features.numpy()
    with tempfile.TemporaryDirectory() as folder:
        result = pouf_core.adapt_features(features, task.prototypes.numpy(), out=Path(folder) / "model")
        predictor = pouf_core.load(result.path)
        labels = {name: predictor.label_indices(features, variant=name) for name in ("adapted", "zero_shot")}
        top = [row.top_k for row in predictor.classify(features, top_k=2)]
    drawn = np.random.default_rng(0).permutation(len(features))[:MOST_MAPPED]
    places = {name: place for place, name in enumerate(predictor.class_names)}
    frame = Frame(
        **labels,
        served=predictor.served,
        probability=np.array([first[1] for first, _ in top]),
        runner_up=np.array([places[second[0]] for _, second in top]),
        runner_up_probability=np.array([second[1] for _, second in top]),
        cluster=Clustering(task.features[drawn]).of(task.features).astype(np.int64),
    )
    return LabelledSet(task.name, frame, task.labels)


def measure(one: LabelledSet) -> dict[str, Any]:
    """All figures of a set."""
    truths = _truths(one)
    draws = [draw(one.frame, ANSWERS, seed=seed) for seed in range(DRAWS)]
    estimates = [_estimate(one, drawn, WISHES[-1]) for drawn in draws]
    figures = {name: _intervals([getattr(each, name).interval for each in estimates], truths[name]) for name in truths}
    return {
        "chosen_on": one.name in CHOOSING,
        "items": len(one.labels),
        **truths,
        "intervals": figures,
        "plain": _plain(one, truths["adapted"]),
        "thresholds": {str(wish): _thresholds(one, draws, wish) for wish in WISHES},
        "wrong_found": _found(one),
    }


def _truths(one: LabelledSet) -> dict[str, float]:
    zero_shot, adapted = (float(np.mean(labels == one.labels)) for labels in (one.frame.zero_shot, one.frame.adapted))
    return {"zero_shot": zero_shot, "adapted": adapted, "difference": adapted - zero_shot}


def _estimate(one: LabelledSet, drawn: Drawn, wish: float) -> AuditEstimate:
    found = estimate(drawn.design, one.answered(drawn), wish)
    assert found is not None
    return found


def _intervals(intervals: list[tuple[float, float]], truth: float) -> dict[str, float]:
    ends = np.array(intervals)
    covered = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return {"coverage": float(covered.mean()), "width": float((ends[:, 1] - ends[:, 0]).mean())}


def _plain(one: LabelledSet, truth: float) -> dict[str, float]:
    """A plain random sample with Wilson's interval, as if each of its answers were worth a little more for the few
    items that there are."""
    right = one.frame.adapted == one.labels
    count = round(ANSWERS / (1 - ANSWERS / len(right)))
    intervals = []
    for seed in range(DRAWS):
        share = right[np.random.default_rng(seed).choice(len(right), ANSWERS, replace=False)].mean()
        bounds = binomtest(round(share * count), count).proportion_ci(CONFIDENCE, method="wilson")
        intervals.append((bounds.low, bounds.high))
    return _intervals(intervals, truth)


def _thresholds(one: LabelledSet, draws: list[Drawn], wish: float) -> dict[str, Any]:
    estimates = [_estimate(one, drawn, wish) for drawn in draws]
    proposed = [each.threshold for each in estimates if each.threshold is not None]
    right = one.frame.label == one.labels
    true = [float(right[one.frame.probability >= each.threshold].mean()) for each in proposed]
    more = [each.more_answers for each in estimates if each.threshold is None and each.more_answers is not None]
    return {
        "proposed": len(proposed),
        "kept": sum(each >= wish for each in true),
        "answered": float(np.mean([each.answered for each in proposed])) if proposed else None,
        "median_more_answers": float(np.median(more)) if more else None,
    }


def _found(one: LabelledSet) -> dict[str, Any]:
    """Wrong items among 40 that were chosen for being suspected, and among 40 random ones; and how many clusters,
    classes and confusions there are among these 40 and among the 40 that are most suspected."""
    frame, wrong = one.frame, one.frame.label != one.labels
    chosen = [draw(frame, FOUND_BY, FOUND_BY, seed).rows for seed in range(DRAWS)]
    plain = frame.by_suspicion()[:FOUND_BY]
    mistakes = np.stack([one.labels, frame.label], axis=1)

    def spread(rows: np.ndarray) -> dict[str, int]:
        kinds = {"clusters": frame.cluster[rows], "classes": frame.label[rows], "mistakes": mistakes[rows[wrong[rows]]]}
        return {name: len(np.unique(values, axis=0)) for name, values in kinds.items()}

    spreads = [spread(rows) for rows in chosen]
    return {
        "suspected": float(np.mean([wrong[rows].sum() for rows in chosen])),
        "random": FOUND_BY * float(wrong.mean()),
        "spread": {name: float(np.mean([each[name] for each in spreads])) for name in spreads[0]},
        "spread_of_most_suspected": spread(plain),
    }


def summary(sets: dict[str, Any]) -> dict[str, Any]:
    """The criteria over all sets, and over those that nothing was chosen on."""
    return {name: _summary(list(part)) for name, part in _parts(sets)}


def _parts(sets: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "all", sets.values()
    yield "not chosen on", [each for each in sets.values() if not each["chosen_on"]]


def _summary(sets: list[dict[str, Any]]) -> dict[str, Any]:
    found = [each["wrong_found"] for each in sets]
    kept = {}
    for wish in WISHES:
        thresholds = [each["thresholds"][str(wish)] for each in sets]
        proposed = sum(each["proposed"] for each in thresholds)
        kept[str(wish)] = sum(each["kept"] for each in thresholds) / proposed if proposed else None
    return {
        "least_coverage": min(each["intervals"]["adapted"]["coverage"] for each in sets),
        "largest_width_over_plain": max(
            each["intervals"]["adapted"]["width"] / each["plain"]["width"] for each in sets
        ),
        "thresholds_kept": kept,
        "wrong_found_over_random_of_sums": sum(each["suspected"] for each in found)
        / sum(each["random"] for each in found),
        "wrong_found_over_random_mean": float(np.mean([each["suspected"] / each["random"] for each in found])),
    }


def main(
    features: Annotated[list[Path], typer.Option(help="npz files with image, text and label; repeat it.")] = [],  # noqa: B006
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as encoded:
        tasks = [*feature_tasks(features), *picture_tasks(None, Path(encoded))]
        sets = {task.name: measure(labelled_set(task)) for task in tasks if task.whole}
    figures = rounded({"answers": ANSWERS, "draws": DRAWS, "summary": summary(sets), "sets": sets})
    typer.echo(json.dumps(figures, indent=1))
    if json_file:
        json_file.write_text(json.dumps({**environment(), **figures}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
