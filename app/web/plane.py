"""A map of items in the plane, as a page shows it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

SIZE = 1000
COLOURS = 8
_MANY, _SMALL, _LARGE = 500, 7, 12


class Dot(NamedTuple):
    """An item: where it lies, from 0 to SIZE, and its colour."""

    x: int
    y: int
    colour: int


@dataclass(frozen=True)
class MappedClass:
    """A class on the map.

    Attributes:
        colour: from 0, COLOURS for all classes that have none of their own.
        items: how many there are.
        scattered: those of them whose nearest neighbour is of another class.
        beside: the class that these neighbours most often have, if there are any.
    """

    name: str
    colour: int
    items: int
    scattered: int
    beside: str | None


@dataclass(frozen=True)
class PlaneMap:
    """The map.

    Attributes:
        of: how many items there are in all.
        dots: in order of their predictions.
        classes: the most frequent first.
    """

    of: int
    dots: list[Dot]
    classes: list[MappedClass]

    @property
    def radius(self) -> int:
        """Of a dot: the more there are, the smaller."""
        return _SMALL if len(self.dots) > _MANY else _LARGE


def plane_map(
    places: npt.NDArray[np.float32], labels: npt.NDArray[np.int32], names: Sequence[str], item_count: int
) -> PlaneMap:
    """Return the map of m items.

    Args:
        places: [m, 2] in the unit square.
        labels: [m] places of their classes among the names.
        names: of the classes.
        item_count: how many items there are in all.
    """
    ordered = [label for label, _ in Counter(labels.tolist()).most_common()]
    colours = {label: min(rank, COLOURS) for rank, label in enumerate(ordered)}
    at = np.rint(places * SIZE).astype(int).tolist()
    dots = [Dot(x, y, colours[label]) for (x, y), label in zip(at, labels.tolist(), strict=True)]
    beside = _neighbours(places, labels)
    classes = []
    for label in ordered:
        own = beside[labels == label]
        others = Counter(own[own != label].tolist()).most_common(1)
        scattered = int((own != label).sum())
        neighbour = names[others[0][0]] if others else None
        classes.append(MappedClass(names[label], colours[label], len(own), scattered, neighbour))
    return PlaneMap(item_count, dots, classes)


def _neighbours(places: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the class [m] of the item that lies nearest to each."""
    if len(places) < 2:
        return labels
    _, nearest = KDTree(places).query(places, k=2)
    own = np.arange(len(places))
    # of items at one place, either may come first
    other = np.where(nearest[:, 0] == own, nearest[:, 1], nearest[:, 0])
    found: npt.NDArray[np.int32] = labels[other]
    return found
