"""Draw the figures of the guide as SVG files: run `python docs/draw_figures.py`, commit the result.

Points are made up, from a seed; numbers are read from `benchmarks/results`.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FIGURES = Path(__file__).parent / "figures"
RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # of Okabe and Ito, which everybody tells apart
CENTRES = np.array([[-1.6, -0.4], [0.3, 1.4], [1.5, -1.0]])
SHIFT = np.array([0.9, 0.55])  # what all items have in common beyond their classes
mpl.rcParams.update({"svg.hashsalt": "pouf", "font.size": 10, "svg.fonttype": "none", "font.family": "sans-serif"})


def problem() -> Figure:
    """Features of items and class prompts lie apart: the nearest prompt is often the wrong one."""
    figure, (before, after) = _two_panels()
    items, classes = _items()
    prototypes = CENTRES - SHIFT
    _plane(before, items, classes, prototypes, "zero-shot: the nearest prompt")
    _plane(after, items, classes, np.stack([items[classes == k].mean(axis=0) for k in range(3)]), "adapted")
    return figure


def transport() -> Figure:
    """The two directions of conditional transport, and what each line weighs."""
    figure, (to_prototypes, to_items) = _two_panels()
    items, classes = _items()
    items, classes = items[::6], classes[::6]
    prototypes = CENTRES - 0.5 * SHIFT
    distances = ((items[:, None] - prototypes) ** 2).sum(-1)
    for axes, axis, title in (
        (to_prototypes, 1, "each item to the prototypes"),
        (to_items, 0, "each prototype to the items"),
    ):
        weights = np.exp(-distances)
        weights /= weights.sum(axis=axis, keepdims=True)
        for i, item in enumerate(items):
            for k, prototype in enumerate(prototypes):
                share = weights[i, k] / weights[:, k].max() if axis == 0 else weights[i, k]
                axes.plot(*zip(item, prototype, strict=True), color="0.5", alpha=float(share), linewidth=1, zorder=0)
        _plane(axes, items, classes, prototypes, title)
    return figure


def gains() -> Figure:
    """What the default gains over zero-shot, by how skewed the data is."""
    measured = json.loads((RESULTS / "gain-2core-cpu.json").read_text())["gains"]["pairs"]["auto"]
    skews = ["as they are", "1:10", "1:50", "a third absent"]
    names = {"whurs19": "aerial pictures", "dtd": "textures", "stanford_cars": "cars"}
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    for place, (family, name) in enumerate(names.items()):
        values = [measured[skew]["families"][family] for skew in skews]
        bars = axes.bar(np.arange(len(skews)) + 0.27 * (place - 1), values, 0.25, color=COLOURS[place], label=name)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(range(len(skews)), skews)
    axes.set_ylabel("points over zero-shot")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0, 13)
    axes.legend(frameon=False, ncols=3, loc="upper right")
    return figure


def parts() -> Figure:
    """The processes of the service, and what they share."""
    boxes = {
        "you: browser,\npouf, client, curl": (0, 1), "API": (1, 1), "database": (2.2, 2), "broker": (2.2, 1),
        "object storage": (2.2, 0), "train workers": (3.4, 2), "ingest, notify\nworkers": (3.4, 1), "reaper": (3.4, 0),
    }  # fmt: skip
    lines = [(0, 1), (1, 2), (1, 3), (1, 4), (5, 2), (5, 3), (5, 4), (6, 2), (6, 3), (6, 4), (7, 2), (7, 3), (7, 4)]
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    places = list(boxes.values())
    for one, other in lines:
        axes.plot(*zip(places[one], places[other], strict=True), color="0.6", linewidth=1, zorder=0)
    for number, (name, (x, y)) in enumerate(boxes.items()):
        shared = number in (2, 3, 4)
        style = {"boxstyle": "round,pad=0.5", "facecolor": "#e8f1f8" if shared else "white", "edgecolor": COLOURS[0]}
        axes.text(x, y, name, ha="center", va="center", bbox=style)
    axes.set(xlim=(-0.6, 4), ylim=(-0.5, 2.5))
    axes.axis("off")
    return figure


def _two_panels() -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 3), layout="constrained")
    return figure, figure.subplots(1, 2)


def _items() -> tuple[Any, Any]:
    """60 items in the plane [60, 2], and the class of each."""
    classes = np.repeat(np.arange(3), 20)
    return CENTRES[classes] + SHIFT + 0.5 * np.random.default_rng(3).normal(size=(60, 2)), classes


def _plane(axes: Axes, items: Any, classes: Any, prototypes: Any, title: str) -> None:
    """Items as points, prototypes as crosses, and the lines between what is nearest to which."""
    grid = np.stack(np.meshgrid(np.linspace(-3.5, 4, 200), np.linspace(-3, 3.5, 200)), -1)
    nearest = ((grid[:, :, None] - prototypes) ** 2).sum(-1).argmin(-1)
    axes.contour(grid[..., 0], grid[..., 1], nearest, levels=[0.5, 1.5], colors="0.8", linewidths=0.8, zorder=-1)
    for k, colour in enumerate(COLOURS):
        axes.scatter(*items[classes == k].T, s=14, color=colour, label=f"items of class {k + 1}")
        axes.scatter(*prototypes[k], s=90, color=colour, marker="X", edgecolor="black", linewidth=0.8)
    axes.set(title=title, xticks=[], yticks=[], xlim=(-3.5, 4), ylim=(-3, 3.5))


DRAWN = {"problem": problem, "transport": transport, "gains": gains, "parts": parts}


def save(name: str, folder: Path = FIGURES) -> None:
    """Draw one of them into the folder, the same to the byte each time."""
    DRAWN[name]().savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white")


def main() -> None:
    """Draw all of them."""
    FIGURES.mkdir(exist_ok=True)
    for name in DRAWN:
        save(name)


if __name__ == "__main__":
    main()
