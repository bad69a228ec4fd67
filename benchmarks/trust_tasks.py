"""Picture tasks for `trust.py`: clip art, and emoji by subgroup in styles and of kinds that the head has not seen."""

from __future__ import annotations

import csv
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"
SKEWS = ("balanced", "1:10", "1:50", "a third absent")
HIDDEN_SHARE = 3  # one emoji in three was hidden from the head, chosen by the last word of its name
LEAST_ITEMS = 30

Source = Path | Image.Image


@dataclass(frozen=True)
class Task:
    """Pictures with their true classes.

    Attributes:
        name: what it is called in tables.
        class_names: K names.
        pictures: n pictures.
        labels: [n] indices of their classes, for measuring only.
    """

    name: str
    class_names: list[str]
    pictures: list[Source]
    labels: np.ndarray

    def only(self, rows: np.ndarray) -> Task:
        """The same task with some of its pictures."""
        return Task(self.name, self.class_names, [self.pictures[row] for row in rows], self.labels[rows])


def clip_art() -> Task:
    """The pictures of `examples/clipart`."""
    with (EXAMPLES / "clipart" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    paths: list[Source] = [EXAMPLES / "clipart" / "images" / row["file"] for row in rows]
    return Task("clip art", names, paths, np.array([names.index(row["label"]) for row in rows]))


def emoji_tasks(directory: Path, styles: list[str], hidden_only: bool) -> list[Task]:
    """One task for each entry of `examples/emoji/tasks.json`, over all the styles together.

    Args:
        directory: table.tsv and an npz file a style, see `scripts/README.md`.
        styles: names of npz files.
        hidden_only: only those emoji that `scripts/train_pouf_lite_head.py --held-out-head` hides from its head.
    """
    with (directory / "table.tsv").open(encoding="utf-8", newline="") as file:
        table = {row["key"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    pictures = [
        (Image.fromarray(image), table[str(key)])
        for style in styles
        for key, image in _read(directory / f"{style}.npz")
        if str(key) in table and (not hidden_only or _hidden(table[str(key)]["name"]))
    ]
    definitions = json.loads((EXAMPLES / "emoji" / "tasks.json").read_text())
    return [_emoji_task(name, classes, pictures) for name, classes in definitions.items()]


def _read(path: Path) -> list[tuple[str, np.ndarray]]:
    with np.load(path, allow_pickle=False) as archive:
        return list(zip(archive["keys"], archive["images"], strict=True))


def _hidden(name: str) -> bool:
    """The rule of `held_out_emoji` in scripts/pouf_lite_head/held_out.py, which a test compares it with."""
    return zlib.crc32(name.split()[-1].encode()) % HIDDEN_SHARE == 0


def _emoji_task(name: str, classes: dict[str, list[str]], pictures: list[tuple[Image.Image, dict[str, str]]]) -> Task:
    beginnings = list(classes.values())
    found: list[tuple[Source, int]] = []
    for image, row in pictures:
        matching = (k for k, starts in enumerate(beginnings) if row["subgroup"].startswith(tuple(starts)))
        label = next(matching, None)
        if label is not None:
            found.append((image, label))
    return Task(f"emoji {name}", list(classes), [image for image, _ in found], np.array([label for _, label in found]))


def skewed(task: Task, skew: str, seed: int) -> Task:
    """Some of a task's pictures, so that its classes have the given sizes, see `skewed_rows`."""
    return task.only(skewed_rows(task.labels, len(task.class_names), skew, seed))


def skewed_rows(labels: np.ndarray, class_count: int, skew: str, seed: int) -> np.ndarray:
    """Rows of items whose classes have the given sizes; which class gets which size is random.

    `as they are` has all; `balanced` has as many of each class as the class at the lower quartile has; `1:10` and
    `1:50` fall geometrically from the largest class to the smallest, as far as there are items, and exactly where there
    are two classes; `a third absent` leaves out a third of the classes and keeps the rest as they are.
    """
    if skew == "as they are":
        return np.arange(len(labels))
    random = np.random.default_rng((zlib.crc32(skew.encode()), seed))
    order = random.permutation(class_count)
    members = [random.permutation(np.flatnonzero(labels == k)) for k in range(class_count)]
    sizes = np.array([len(rows) for rows in members])
    if skew == "balanced":
        sizes = np.minimum(sizes, max(3, int(np.quantile(sizes[sizes > 0], 0.25))))
    elif skew == "a third absent":
        sizes[order[: max(1, class_count // 3)]] = 0
    else:
        ratio = float(skew.split(":")[1])
        shares = np.empty(class_count)
        shares[order] = ratio ** (-np.arange(class_count) / (class_count - 1))
        typical = np.min if class_count == 2 else np.median
        largest = max(float(typical(sizes / shares)), 10.0)
        sizes = np.minimum(sizes, np.maximum(1, np.round(largest * shares)).astype(int))
    return np.sort(np.concatenate([rows[:size] for rows, size in zip(members, sizes, strict=True)]))
