"""What cells of `gain.py` amount to: gains by method and skew, and how good the estimate is. Families count alike."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from gain_fit import LEAST_FAMILIES, Floats, Groups, choosing_half, fit_rows, left_out_estimates
from gain_measure import SKEWS, Cell
from gain_quality import QUALITIES, Measured, qualities
from rich.console import Console
from rich.table import Table
from scipy.stats import t

from pouf_core.contract.closed_forms import CLOSED_FORM_TUNES
from pouf_core.validation.gain import GAIN_ROWS, GainRow

HINDSIGHT = "best in hindsight"


def summarise(cells: list[Cell]) -> dict[str, Any]:
    """Everything that is reported, by row of `GAIN_ROWS` and for all together."""
    by_row: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_row[cell["row"]].append(cell)
    groups = {name: Measured.of(by_row[name]) for name in GAIN_ROWS if name in by_row}
    families = {name: sorted({cell["family"] for cell in group.cells}) for name, group in groups.items()}
    choosing = {name: choosing_half(names) for name, names in families.items()}
    committed = {name: group.data.estimated(GAIN_ROWS[name]) for name, group in groups.items()}
    data = {name: group.data for name, group in groups.items()}
    left_out = left_out_estimates(data)
    halves = _by_choosing_half(data, choosing)
    reporting = {name: set(families[name]) - choosing[name] for name in groups}
    return {
        "counts": {name: _counts(group) for name, group in groups.items()},
        "families": {
            name: {"choosing": sorted(choosing[name]), "reporting": sorted(reporting[name])} for name in groups
        },
        "gains": {name: _gains(group, committed[name], left_out.get(name)) for name, group in groups.items()},
        "estimate": {
            "committed rows, every family": qualities(groups, committed),
            "committed rows, reporting families": qualities(groups, committed, reporting),
            "family left out, every family": qualities(groups, left_out),
            "fitted to choosing families, reporting families": qualities(groups, halves, reporting),
        },
        "rows": _rows(data),
    }


def _by_choosing_half(data: Groups, choosing: dict[str, set[str]]) -> dict[str, Floats]:
    """Estimates of all by rows fitted to the families for choosing."""
    chosen = {
        name: one.only(np.isin(one.families, list(choosing[name])))
        for name, one in data.items()
        if len(choosing[name]) >= LEAST_FAMILIES - 1
    }
    return {name: data[name].estimated(row) for name, row in fit_rows(chosen).items()} if chosen else {}


def _counts(group: Measured) -> dict[str, Any]:
    return {
        "tasks": len({cell["task"] for cell in group.cells}),
        "cells": len(group.cells),
        "candidates": len(group.data.gains),
        "zero_shot": {
            skew: _mean_of_families(group, np.array([cell["zero_shot"] for cell in group.cells]), skew)[0]
            for skew in SKEWS
        },
        "median_class_size_ratio": {
            skew: float(np.median([cell["class_size_ratio"] for cell in group.cells if _shown(cell, skew)]))
            for skew in SKEWS
        },
    }


def _rows(data: Groups) -> dict[str, Any]:
    """The committed rows and those fitted to all of the families, and how far their estimates lie apart."""
    enough = {name: one for name, one in data.items() if len(np.unique(one.families)) >= LEAST_FAMILIES}
    refitted = fit_rows(enough) if enough else {}
    found: dict[str, Any] = {name: {"committed": vars(GAIN_ROWS[name]), "refitted": None} for name in data}
    for name, row in refitted.items():
        apart = np.abs(data[name].estimated(GAIN_ROWS[name]) - data[name].estimated(row))
        found[name] |= {
            "refitted": vars(row),
            "median_points_apart": float(np.median(apart[:, 0])),
            "median_low_apart": float(np.median(apart[:, 1])),
        }
    return found


def _gains(group: Measured, committed: Floats, left_out: Floats | None) -> dict[str, Any]:
    """Gains of every method by skew: mean over families of the mean over their tasks, seeds averaged first."""
    methods = {tune: group.gains(committed, [tune]) for tune in CLOSED_FORM_TUNES}
    methods |= {f"{tune}, always served": group.gains(committed, [tune], always=True) for tune in CLOSED_FORM_TUNES}
    methods["auto"] = group.gains(committed, CLOSED_FORM_TUNES)
    if left_out is not None:
        methods["auto, family left out"] = group.gains(left_out, CLOSED_FORM_TUNES)
    methods[HINDSIGHT] = group.best()
    for tune in sorted({name for cell in group.cells for name in cell["trained"]}):
        methods[tune] = np.array([cell["trained"].get(tune, np.nan) for cell in group.cells])
    return {
        method: {skew: _figures(group, gains, skew) for skew in (*SKEWS, "all")} for method, gains in methods.items()
    }


def _figures(group: Measured, gains: Floats, skew: str) -> dict[str, Any]:
    mean, by_family = _mean_of_families(group, gains, skew)
    values = np.array(list(by_family.values()))
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    chosen = [gain for cell, gain in zip(group.cells, gains, strict=True) if _shown(cell, skew)]
    return {
        "mean": mean,
        "low": float(mean - t.ppf(0.95, max(len(values) - 1, 1)) * error),  # one-sided 95 %, clustered by family
        "worst_seed": float(min(chosen)),
        "families": by_family,
    }


def _shown(cell: Cell, skew: str) -> bool:
    return bool(cell["whole"]) and skew in ("all", cell["skew"])


def _mean_of_families(group: Measured, values: Floats, skew: str) -> tuple[float, dict[str, float]]:
    """Of whole tasks: seeds, then skews, then encoders or wordings, then families are averaged."""
    seeds: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for cell, value in zip(group.cells, values, strict=True):
        if _shown(cell, skew):
            seeds[cell["family"], cell["task"], cell["skew"]].append(float(value))
    tasks: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (family, task, _), found in seeds.items():
        tasks[family, task].append(float(np.mean(found)))
    families: dict[str, list[float]] = defaultdict(list)
    for (family, _), found in tasks.items():
        families[family].append(float(np.mean(found)))
    by_family = {family: float(np.mean(found)) for family, found in sorted(families.items())}
    return float(np.mean(list(by_family.values()))), by_family


def print_report(summary: dict[str, Any]) -> None:
    """Gains by method and skew, and the figures of the estimate."""
    console = Console(width=160)
    for name, methods in summary["gains"].items():
        table = Table(title=f"{name}: points over zero-shot of what is served (lowest seed), families averaged last")
        for heading in ("method", *SKEWS, "all", "one-sided 95 % from"):
            table.add_column(heading)
        zero_shot = summary["counts"][name]["zero_shot"]
        table.add_row("zero-shot, %", *(f"{zero_shot[skew]:.1f}" for skew in SKEWS), "", "")
        for method, skews in methods.items():
            gains = [f"{one['mean']:+.1f} ({one['worst_seed']:+.1f})" for one in skews.values()]
            table.add_row(method, *gains, f"{skews['all']['low']:+.1f}")
        console.print(table)
    for title, groups in summary["estimate"].items():
        table = Table(title=f"The estimate: {title}")
        for heading in ("row", "candidates", "families", *QUALITIES):
            table.add_column(heading)
        for name, found in groups.items():
            figures = [f"{found[one]:.3f}" for one in QUALITIES]
            table.add_row(name, str(found["candidates"]), str(found["families"]), *figures)
        console.print(table)


def print_rows(summary: dict[str, Any]) -> None:
    """The rows fitted to every family, as `pouf_core/validation/gain.py` has them."""
    console = Console(width=160, highlight=False)
    for name, rows in summary["rows"].items():
        found: dict[str, Any] | None = rows["refitted"]
        if found is None:
            console.print(f"# {name}: fewer than {LEAST_FAMILIES} families")
            continue
        row = GainRow(**found)
        slopes = ", ".join(f"{one:.3f}" for one in row.slopes)
        ends = f"{row.below}, {row.above}, most_classes_lost={row.most_classes_lost:.2f}"
        console.print(f'"{name}": GainRow({row.constant:.3f}, ({slopes}), {ends}),', markup=False)
