"""Class names that a base model can hardly tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pouf_core.classes import ClassName

_CLOSE = 0.15  # of the median distance between two classes
_SAME = 1e-3  # a distance that no encoder means anything by; with two classes there is no other to compare it with
_IGNORED = " -_."  # between the words of one name; other marks may be all that tells two names apart
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
    close = pairs < max(_CLOSE * float(pairs.median()), _SAME)
    numbers: dict[str, int] = {}
    stems = torch.tensor([numbers.setdefault(_stem(item), len(numbers)) for item in classes])
    flagged = torch.nonzero(close | (stems[rows] == stems[columns])).flatten()
    nearest = flagged[pairs[flagged].argsort(stable=True)][:_MOST].tolist()
    return [(classes[int(rows[pair])].name, classes[int(columns[pair])].name) for pair in nearest]


def _stem(item: ClassName) -> str:
    wording = item.wording.casefold()
    for ignored in _IGNORED:
        wording = wording.replace(ignored, "")
    return wording.removesuffix("s")
