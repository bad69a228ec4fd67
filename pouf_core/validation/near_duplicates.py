"""Class names that a base model can hardly tell apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from pouf_core.contract.classes import ClassName
from pouf_core.validation.thresholds import Thresholds, constant

_IGNORED = " -_."  # between the words of one name; other marks may be all that tells two names apart
_MOST = 10  # pairs; a long list helps nobody
_MOST_CLASSES = 2000  # K x K distances beyond this would take gigabytes


def near_duplicates(classes: Sequence[ClassName], prototypes: Tensor, thresholds: Thresholds) -> list[tuple[str, str]]:
    """The closest pairs of classes, at most ten: nearly one prototype, or one word in singular and plural.

    Args:
        classes: K classes.
        prototypes: [K, d] unit-length zero-shot text prototypes.
        thresholds: how close counts as nearly one prototype.
    """
    share = thresholds.value("class_name_distance", "warning")
    if share is None or len(classes) > _MOST_CLASSES:
        return []
    distances = 1 - (prototypes @ prototypes.T).double().cpu()
    rows, columns = torch.triu_indices(len(classes), len(classes), offset=1)
    pairs = distances[rows, columns]
    close = pairs < max(share * pairs.median().item(), constant("equal_class_name_distance"))
    found = set(zip(rows[close].tolist(), columns[close].tolist(), strict=True))
    found.update(_equal_pairs([_stem(item) for item in classes]))
    nearest = sorted(found, key=lambda pair: (distances[pair].item(), pair))[:_MOST]
    return [(classes[row].name, classes[column].name) for row, column in nearest]


def _equal_pairs(stems: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of places with the same stem; empty stems (names without letters) are like no other."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, stem in enumerate(stems):
        if stem:
            places[stem].append(place)
    return [pair for group in places.values() for pair in combinations(group, 2)]


def _stem(item: ClassName) -> str:
    wording = item.wording.casefold()
    for ignored in _IGNORED:
        wording = wording.replace(ignored, "")
    return wording.removesuffix("s")
