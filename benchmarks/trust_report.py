"""What the runs of `trust.py` amount to: cells with paired intervals, means, verdicts; table and plot."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap
from sklearn.metrics import recall_score
from trust_tasks import SKEWS

matplotlib.use("agg")
from matplotlib import pyplot

ZERO_SHOT = "zero-shot"
BINS = 10
HARM_LIMIT = -0.5  # points
Run = dict[str, Any]


def summarise(runs: list[Run]) -> dict[str, Any]:
    """Figures of every cell (task x skew, seeds pooled) and method, their means, and how often verdicts were right."""
    groups: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run["task"], run["skew"], run["method"]].append(run)
    cells = [_cell(*key, group) for key, group in groups.items()]
    methods = sorted({cell["method"] for cell in cells})
    return {
        "cells": cells,
        "means": {method: _means([cell for cell in cells if cell["method"] == method]) for method in methods},
        "against_default": _against_default(cells),
        "verdicts": {method: _verdicts([run for run in runs if run["method"] == method]) for method in methods},
    }


def _cell(task: str, skew: str, method: str, runs: list[Run]) -> dict[str, Any]:
    gains = [_right(run, run["served"]) - _right(run, "zero_shot") for run in runs]
    low, high = _paired_interval(np.concatenate(gains))
    return {
        "task": task,
        "skew": skew,
        "method": method,
        "seeds": sorted(run["seed"] for run in runs),
        "items": [len(run["labels"]) for run in runs],
        "class_size_ratio": [_size_ratio(run["labels"]) for run in runs],
        "zero_shot": _figures(runs, lambda run: "zero_shot"),
        "served": _figures(runs, lambda run: run["served"]),
        "adapted": _figures(runs, lambda run: "adapted"),
        "gain_points": 100 * float(np.concatenate(gains).mean()),
        "gain_interval": [low, high],
        "structure": [round(run["judged_by"]["ratio"], 3) for run in runs if "ratio" in run["judged_by"]],
        "verdicts": [run["verdict"] for run in runs],
    }


def _size_ratio(labels: list[int]) -> float:
    """Pictures of the largest class for one of the smallest that is there; skews are as steep as there are pictures."""
    sizes = Counter(labels).values()
    return round(max(sizes) / min(sizes), 1)


def _right(run: Run, variant: str) -> np.ndarray:
    return np.equal(run[variant]["predicted"], run["labels"]).astype(float)


def _paired_interval(difference: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of a mean difference, in points."""
    if np.ptp(difference) == 0:
        return 100 * float(difference[0]), 100 * float(difference[0])
    random = np.random.default_rng(0)
    spread = bootstrap((difference,), np.mean, n_resamples=2000, rng=random, method="percentile").confidence_interval
    return 100 * float(spread.low), 100 * float(spread.high)


def _figures(runs: list[Run], variant: Any) -> dict[str, float]:
    rows = [(run["labels"], run[variant(run)]) for run in runs]
    return {
        "accuracy": _mean_percent(np.mean(np.equal(one["predicted"], labels)) for labels, one in rows),
        "balanced_accuracy": _mean_percent(_balanced_accuracy(labels, one["predicted"]) for labels, one in rows),
        "calibration_error": _mean_percent(
            calibration_error(np.equal(one["predicted"], labels), np.array(one["score"])) for labels, one in rows
        ),
    }


def _mean_percent(shares: Iterable[float]) -> float:
    return 100 * float(np.mean(list(shares)))


def _balanced_accuracy(labels: list[int], predicted: list[int]) -> float:
    """Mean recall over the classes that are there."""
    return float(recall_score(labels, predicted, labels=sorted(set(labels)), average="macro", zero_division=0))


def calibration_error(right: np.ndarray, scores: np.ndarray) -> float:
    """Expected calibration error over ten bins of confidence (Guo et al., ICML 2017), from 0 to 1.

    Args:
        right: [n] whether each answer is right.
        scores: [n] its probability.
    """
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    members = [bins == one for one in np.unique(bins)]
    return float(sum(abs(right[some].mean() - scores[some].mean()) * some.mean() for some in members))


def _means(cells: list[Run]) -> dict[str, Any]:
    by_skew = {skew: [cell for cell in cells if cell["skew"] == skew] for skew in SKEWS}
    return {
        "cells": len(cells),
        "gain_points": float(np.mean([cell["gain_points"] for cell in cells])),
        "gain_points_by_skew": {
            skew: float(np.mean([cell["gain_points"] for cell in some])) for skew, some in by_skew.items() if some
        },
        "accuracy": float(np.mean([cell["served"]["accuracy"] for cell in cells])),
        "balanced_accuracy": float(np.mean([cell["served"]["balanced_accuracy"] for cell in cells])),
        "calibration_error": float(np.mean([cell["served"]["calibration_error"] for cell in cells])),
        "harmed_cells": [f"{cell['task']}, {cell['skew']}" for cell in cells if cell["gain_interval"][1] < HARM_LIMIT],
        "helped_cells": sum(cell["gain_interval"][0] > 0 for cell in cells),
    }


def _against_default(cells: list[Run]) -> dict[str, Any]:
    """How far the default is ahead of each recipe's own last step, on the cells that both have."""
    default = {(cell["task"], cell["skew"]): cell for cell in cells if cell["method"] == "default"}
    ahead: dict[str, Any] = {}
    for method in sorted({cell["method"] for cell in cells} - {"default"}):
        shared = [cell for cell in cells if cell["method"] == method and (cell["task"], cell["skew"]) in default]
        leads = {
            (cell["task"], cell["skew"]): default[cell["task"], cell["skew"]]["served"]["accuracy"]
            - cell["adapted"]["accuracy"]
            for cell in shared
        }
        skewed = [lead for (_, skew), lead in leads.items() if skew != SKEWS[0]]
        ahead[method] = {
            "cells": len(leads),
            "points": float(np.mean(list(leads.values()))) if leads else None,
            "points_on_skewed": float(np.mean(skewed)) if skewed else None,
        }
    return ahead


def _verdicts(runs: list[Run]) -> dict[str, Any]:
    """How often labels can decide (the paired interval leaves out 0) and the verdict says the same."""
    decided = []
    for run in runs:
        low, high = _paired_interval(_right(run, "adapted") - _right(run, "zero_shot"))
        if low > 0 or high < 0:
            decided.append((run["verdict"], "improved" if low > 0 else "harmful"))
    return {
        "runs": len(runs),
        "given": Counter(run["verdict"] for run in runs),
        "labels_can_decide": len(decided),
        "right": sum(given == true for given, true in decided),
    }


def print_report(summary: dict[str, Any]) -> None:
    """The cells and the means, for people."""
    table = Table(title="Accuracy of what is served, less zero-shot (paired 95 % interval), points")
    scores = ("served %", "gain", "balanced %", "calibration")
    for heading in ("task", "skew", "n", "zero-shot %", "method", *scores, "verdicts"):
        table.add_column(heading)
    for cell in sorted(summary["cells"], key=lambda one: (one["task"], SKEWS.index(one["skew"]), one["method"])):
        low, high = cell["gain_interval"]
        table.add_row(
            cell["task"],
            cell["skew"],
            str(round(np.mean(cell["items"]))),
            f"{cell['zero_shot']['accuracy']:.1f}",
            cell["method"],
            f"{cell['served']['accuracy']:.1f}",
            f"{cell['gain_points']:+.1f} ({low:+.1f} to {high:+.1f})",
            f"{cell['zero_shot']['balanced_accuracy']:.1f} → {cell['served']['balanced_accuracy']:.1f}",
            f"{cell['zero_shot']['calibration_error']:.1f} → {cell['served']['calibration_error']:.1f}",
            " ".join(verdict[0].upper() for verdict in cell["verdicts"]),
        )
    console = Console(width=180)
    console.print(table)
    for method, means in summary["means"].items():
        skews = ", ".join(f"{skew} {points:+.1f}" for skew, points in means["gain_points_by_skew"].items())
        verdicts = summary["verdicts"][method]
        console.print(
            f"{method}: gain {means['gain_points']:+.2f} over {means['cells']} cells ({skews}); harmed: "
            f"{', '.join(means['harmed_cells']) or 'none'}; helped: {means['helped_cells']}; verdict right in "
            f"{verdicts['right']} of {verdicts['labels_can_decide']} runs where labels can decide"
        )
    for method, lead in summary["against_default"].items():
        if lead["points"] is not None:
            console.print(f"default is ahead of {method} by {lead['points']:+.1f} points ({lead['cells']} cells)")


def save_plot(summary: dict[str, Any], path: Path) -> None:
    """Gain over zero-shot of every cell, by skew and method, with paired 95 % intervals."""
    methods = list(summary["means"])
    figure, axes = pyplot.subplots(1, len(SKEWS), figsize=(14, 6), sharex=True, sharey=True, layout="constrained")
    tasks = sorted({cell["task"] for cell in summary["cells"]}, reverse=True)
    for axis, skew in zip(axes, SKEWS, strict=True):
        axis.axvline(0, color="grey", linewidth=0.8)
        axis.set_title(skew)
        axis.set_yticks(range(len(tasks)), tasks)
        for number, method in enumerate(methods):
            some = [cell for cell in summary["cells"] if (cell["skew"], cell["method"]) == (skew, method)]
            gains = np.array([cell["gain_points"] for cell in some])
            bounds = np.array([cell["gain_interval"] for cell in some]).reshape(-1, 2)
            places = [tasks.index(cell["task"]) + 0.2 * (number - len(methods) / 2) for cell in some]
            spread = np.abs(bounds.T - gains)
            axis.errorbar(gains, places, xerr=spread, fmt="o", markersize=3, linewidth=0.8, label=method)
    figure.supxlabel("accuracy of what is served, less zero-shot (points)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(methods))
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
