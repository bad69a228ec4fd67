"""The emoji pictures and what is written about them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FLAG_SUBGROUP = "country-flag"
KEEP_ONE_FLAG_IN = 4  # 259 flags a style would otherwise be an eighth of all pictures


@dataclass(frozen=True)
class Emoji:
    """One line of table.tsv."""

    name: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class Pictures:
    """All pictures of all styles, one row a picture.

    Attributes:
        images: [N, 64, 64, 3] uint8, on white.
        emoji_of: [N] row of `emoji` that the picture shows.
        style_of: [N] row of `styles` that the picture is drawn in.
    """

    images: np.ndarray
    emoji_of: np.ndarray
    style_of: np.ndarray
    emoji: list[Emoji]
    styles: list[str]


def load_pictures(directory: Path) -> Pictures:
    """Read table.tsv and every style's npz file (`images` and `keys`) of a directory."""
    table = read_table(directory / "table.tsv")
    row_of = {key: row for row, key in enumerate(table)}
    images, emoji_of, style_of, styles = [], [], [], []
    for style, path in enumerate(sorted(directory.glob("*.npz"))):
        with np.load(path, allow_pickle=False) as archive:
            kept = [i for i, key in enumerate(archive["keys"]) if _wanted(table[str(key)], row_of[str(key)])]
            images.append(archive["images"][kept])
            emoji_of.append(np.array([row_of[str(key)] for key in archive["keys"][kept]]))
        style_of.append(np.full(len(kept), style))
        styles.append(path.stem)
    return Pictures(
        np.concatenate(images), np.concatenate(emoji_of), np.concatenate(style_of), list(table.values()), styles
    )


def read_table(path: Path) -> dict[str, Emoji]:
    """Emoji by key, in the order of the file."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["key"]: _emoji(row) for row in rows}


def _emoji(row: dict[str, str]) -> Emoji:
    return Emoji(row["name"], row["group"], row["subgroup"], tuple(filter(None, row["keywords"].split("|"))))


def _wanted(emoji: Emoji, row: int) -> bool:
    return emoji.subgroup != FLAG_SUBGROUP or row % KEEP_ONE_FLAG_IN == 0
