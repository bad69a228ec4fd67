"""How well a score tells items of no class, and how good the estimated curve of accuracy against share answered is.

    python benchmarks/none_of_these.py --features dtd.npz --features cars.npz --emoji DIR --json none-of-these.json

Features are those of pairs of pictures and texts (`--features`), and clip art and emoji by `pouf-lite` (`--emoji`), as
for `gain.py`. A tenth, a quarter or a half of the classes are taken out of the class list, and their items stay in the
data: those are of no class. What is served is adapted to all items in closed form, or zero-shot where no gain is sure.

Scores for "none of these" are compared by AUROC; the served one was chosen by the choosing half of the families. So are
the two that are served, at telling right answers from wrong ones. The estimated accuracy of the 50, 70 and 90 % of the
items that are surest is set against the true one, also where no class is taken out. With `--train prototypes` it also
says how far the mean score of trained prototypes is from their accuracy, before and after calibration. Labels are used
for measuring, for nothing else.
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
from gain_fit import choosing_half
from gain_tasks import FeatureTask, feature_tasks, picture_tasks
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

import pouf_core
from pouf_core.contract.abstention import AnswerCurve, VariantName
from pouf_core.predictor import Predictor
from pouf_core.scoring import Scores
from pouf_core.system.memory import keep_freed_memory

SHARES = (0.1, 0.25, 0.5)
ANSWERED = (0.5, 0.7, 0.9)
LEAST_CLASSES, LEAST_ITEMS, LEAST_NONE = 4, 30, 5


@dataclass(frozen=True)
class Cell:
    """A task with some classes taken out of the class list.

    Attributes:
        task: with the classes that are left and all items.
        share: of the classes that are taken out.
        none: [n] whether an item is of no class.
    """

    task: FeatureTask
    share: float
    none: NDArray[np.bool_]


def cells_of(task: FeatureTask, shares: tuple[float, ...], seeds: int) -> Iterator[Cell]:
    """Cells with enough classes and items of both sorts; labels of items of no class are -1."""
    class_count = len(task.prototypes)
    for share in shares:
        for seed in range(seeds if share else 1):
            out = np.random.default_rng(seed).permutation(class_count)[: round(share * class_count)]
            kept = np.setdiff1d(np.arange(class_count), out)
            none = np.isin(task.labels, out)
            if len(kept) < LEAST_CLASSES or len(none) < LEAST_ITEMS or (share and none.sum() < LEAST_NONE):
                continue
            labels = np.where(none, -1, np.searchsorted(kept, task.labels))
            left = FeatureTask(
                task.name, task.family, task.row, task.whole, task.features, task.prototypes[kept], labels
            )
            yield Cell(left, share, none)


def served(task: FeatureTask) -> tuple[Predictor, AnswerCurve, VariantName]:
    """The predictor adapted to all items of the task, and the curve of the variant that it serves."""
    with tempfile.TemporaryDirectory() as directory:
        result = pouf_core.adapt_features(
            task.features.numpy(),
            task.prototypes.numpy(),
            logit_scale=_logit_scale(task),
            out=Path(directory) / "model",
        )
        predictor = pouf_core.load(result.path)
    name: VariantName = result.fallback or "adapted"
    assert result.abstention is not None
    return predictor, result.abstention[name], name


def scores_of(scores: Scores, features: Tensor) -> dict[str, Tensor]:
    """Scores [n] for "none of these" by name, higher for items of no class, without the one that is served."""
    logits, similarity = scores.class_logits, scores.similarity
    probabilities = logits.softmax(dim=1)
    centred = features - features.mean(dim=0)
    sums = probabilities.T @ centred
    means = sums / sums.norm(dim=1, keepdim=True)
    return {
        "1 - largest probability": -probabilities.max(dim=1).values,
        "entropy": -(probabilities * probabilities.clamp(min=1e-12).log()).sum(dim=1),
        "energy": -logits.logsumexp(dim=1),
        "largest logit": -logits.max(dim=1).values,
        "largest similarity": -similarity.max(dim=1).values,
        "similarity to the mean of a class": -(centred @ means.T / centred.norm(dim=1, keepdim=True)).max(dim=1).values,
    }


def measure(cell: Cell) -> dict[str, Any]:
    """AUROC of every score, and estimated and true accuracies of what is answered."""
    task = cell.task
    predictor, curve, name = served(task)
    features = task.features.numpy()
    found = predictor.classify(features, threshold=0.0)
    scores = np.array([one.score for one in found])
    right = np.array([one.class_index for one in found]) == task.labels
    figures: dict[str, Any] = {"task": task.name, "family": task.family, "share": cell.share, "served": name}
    if cell.none.any():
        others = scores_of(predictor.variant(name).classifier(task.features), task.features)
        ours = torch.tensor([one.none_score for one in found])
        figures["auroc"] = {
            label: float(roc_auc_score(cell.none, values.numpy()))
            for label, values in {**others, "none_score (served)": ours}.items()
        }
    if 0 < right.sum() < len(right):
        unlike = np.array([one.none_score for one in found])
        figures["right"] = {
            "score": float(roc_auc_score(right, scores)),
            "none_score": float(roc_auc_score(right, -unlike)),
        }
    figures["curve"] = [_answered(curve, scores, right, share) for share in (*ANSWERED, 1.0)]
    figures["proposed"] = _proposed(curve, scores, right, cell.none)
    return figures


def measure_trained(task: FeatureTask, tune: str) -> dict[str, Any] | None:
    """How far a trained classifier's mean score is from its accuracy, as trained and served; None if none was kept."""
    features = task.features.numpy()
    with tempfile.TemporaryDirectory() as directory:
        result = pouf_core.adapt_features(
            features,
            task.prototypes.numpy(),
            logit_scale=_logit_scale(task),
            method={"tune": tune},
            out=Path(directory) / "model",
        )
        predictor = pouf_core.load(result.path)
    if result.selected_step == 0:
        return None
    found = predictor.classify(features, variant="adapted")
    logits = predictor.variant("adapted").classifier(task.features).class_logits
    accuracy = float((logits.argmax(dim=1).numpy() == task.labels).mean())
    as_trained = logits.softmax(dim=1).max(dim=1).values.mean().item()
    as_served = float(np.mean([one.score for one in found]))
    errors = {"as_trained": abs(as_trained - accuracy), "as_served": abs(as_served - accuracy)}
    return {"task": task.name, "family": task.family, "row": task.row, "accuracy": accuracy, **errors}


def _logit_scale(task: FeatureTask) -> float:
    return 20.0 if task.row == "pouf-lite" else 100.0


def _answered(curve: AnswerCurve, scores: NDArray[Any], right: NDArray[Any], share: float) -> dict[str, float]:
    """The point of the curve that is next to a share, and the true accuracy at its threshold."""
    point = min(curve.points, key=lambda one: abs(one.answered - share))
    return {"share": share, "estimated": point.accuracy, "true": float(right[scores >= point.threshold].mean())}


def _proposed(
    curve: AnswerCurve, scores: NDArray[Any], right: NDArray[Any], none: NDArray[np.bool_]
) -> dict[str, float] | None:
    """What the proposed threshold truly gives."""
    if curve.proposed is None:
        return None
    answered = scores >= curve.proposed.threshold
    given = {"answered": float(answered.mean()), "estimated": curve.proposed.accuracy}
    return given | {
        "true": float(right[answered].mean()),
        "none_answered": float(answered[none].mean()) if none.any() else 0.0,
    }


def summarise(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over families, each the mean of its cells: of the choosing half, of the other, and of all."""
    families = sorted({cell["family"] for cell in cells})
    chosen = choosing_half(families)
    halves = {"choosing half": chosen, "reported half": set(families) - chosen, "all": set(families)}
    return {
        "families": {name: sorted(some) for name, some in halves.items()},
        "auroc": {name: _aurocs(cells, some) for name, some in halves.items()},
        "curve": {
            f"{share:.0%} of the classes taken out": curve_errors([cell for cell in cells if cell["share"] == share])
            for share in sorted({cell["share"] for cell in cells})
        },
        "curve_by_family": {
            family: curve_errors([cell for cell in cells if cell["family"] == family and not cell["share"]])
            for family in families
        },
    }


def _aurocs(cells: list[dict[str, Any]], families: set[str]) -> dict[str, dict[str, float]]:
    some = [cell for cell in cells if cell["family"] in families and "auroc" in cell]
    labels = some[0]["auroc"] if some else ()
    shares = sorted({cell["share"] for cell in some})
    return {
        label: {
            "mean": _over_families(some, lambda cell, label=label: cell["auroc"][label]),
            **{
                f"{share:.0%} taken out": _over_families(
                    [cell for cell in some if cell["share"] == share], lambda cell, label=label: cell["auroc"][label]
                )
                for share in shares
            },
        }
        for label in labels
    }


def curve_errors(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Errors of the estimated accuracies, how well right answers are told, and what proposals truly give."""
    errors = {}
    for place, share in enumerate((*ANSWERED, 1.0)):
        points = [{**cell, **cell["curve"][place]} for cell in cells]
        errors[f"{share:.0%} answered"] = {
            "absolute": _over_families(points, lambda one: abs(one["estimated"] - one["true"])),
            "signed": _over_families(points, lambda one: one["estimated"] - one["true"]),
            "true": _over_families(points, lambda one: one["true"]),
        }
    told = [cell for cell in cells if "right" in cell]
    right = {name: _over_families(told, lambda one, name=name: one["right"][name]) for name in ("score", "none_score")}
    made = [{**cell, **cell["proposed"]} for cell in cells if cell["proposed"]]
    names = ("answered", "estimated", "true", "none_answered")
    proposals = {name: _over_families(made, lambda one, name=name: one[name]) for name in names}
    return {
        "errors": errors,
        "right_auroc": right,
        "proposed": {"share_of_cells": len(made) / max(1, len(cells)), **proposals},
    }


def _trained(tasks: list[FeatureTask], tune: str) -> list[dict[str, Any]]:
    found = (measure_trained(task, tune) for task in tasks if len(task.labels) >= LEAST_ITEMS)
    return [one for one in found if one is not None]


def trained_errors(measured: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By sort of encoder, and of all: how far mean scores are from accuracies, mean over families."""
    parts = {row: [one for one in measured if one["row"] == row] for row in sorted({one["row"] for one in measured})}
    return {
        row: {name: _over_families(some, lambda one, name=name: one[name]) for name in ("as_trained", "as_served")}
        for row, some in {**parts, "all": measured}.items()
    }


def _over_families(cells: list[dict[str, Any]], value: Any) -> float:
    """Mean over families of the mean over their cells."""
    by_family: dict[str, list[float]] = {}
    for cell in cells:
        by_family.setdefault(cell["family"], []).append(value(cell))
    return float(np.mean([np.mean(values) for values in by_family.values()])) if by_family else float("nan")


def main(
    features: Annotated[list[Path], typer.Option(help="npz files with image, text and label; repeat it.")] = [],  # noqa: B006
    emoji: Annotated[Path | None, typer.Option(help="Directory of emoji npz files and table.tsv.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    train: Annotated[list[str], typer.Option(help="POUF tune modes over features; only `prototypes`.")] = [],  # noqa: B006
    encoded: Annotated[Path | None, typer.Option(help="Keep encoded features in this folder.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure every cell and report."""
    keep_freed_memory()
    torch.set_num_threads(1)
    tasks = [task for task in feature_tasks(features) if task.whole] if features else []
    tasks += picture_tasks(emoji, encoded or Path(tempfile.mkdtemp()))
    cells = []
    for task in tasks:
        cells += [measure(cell) for cell in cells_of(task, (0.0, *SHARES), seeds)]
        typer.echo(f"{task.name}: {len(task.labels)} items, {len(task.prototypes)} classes", err=True)
    summary = summarise(cells)
    summary["trained"] = {tune: trained_errors(_trained(tasks, tune)) for tune in train}
    typer.echo(json.dumps(rounded(summary), indent=1))
    if json_file:
        figures = {**environment(), "seeds": seeds, **summary}
        json_file.write_text(json.dumps(rounded(figures), indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
