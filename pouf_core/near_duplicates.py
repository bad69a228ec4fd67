"""Class names that a base model can hardly tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pouf_core.classes import ClassName

_CLOSE = 0.15  # of the median distance between two classes
_MOST = 10  # pairs; a long list helps nobody
_MOST_CLASSES = 2000  # K x K distances beyond this would take gigabytes


def near_duplicates(classes: Sequence[ClassName], prototypes: Tensor) -> list[tuple[str, str]]:
    """The closest pairs of classes, at most ten: nearly one prototype, or one word in singular and plural.

    Args:
        classes: K classes.
        prototypes: [K, d] unit-length zero-shot text prototypes.
    """
    if len(classes) > _MOST_CLASSES:
        return []
    distances = 1 - (prototypes @ prototypes.T).double().cpu()
    rows, columns = torch.triu_indices(len(classes), len(classes), offset=1)
    pairs = distances[rows, columns]
    close = pairs < _CLOSE * pairs.median()
    found = [
        (pairs[index].item(), classes[row].name, classes[column].name)
        for index, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))
        if close[index] or _stem(classes[row]) == _stem(classes[column])
    ]
    return [(first, second) for _, first, second in sorted(found)[:_MOST]]


def _stem(item: ClassName) -> str:
    letters = "".join(character for character in item.wording.casefold() if character.isalnum())
    return letters.removesuffix("s")
