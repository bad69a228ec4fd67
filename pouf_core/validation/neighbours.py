"""What an item's nearest neighbours say about it."""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOURS = 5
_ROWS_AT_ONCE = 1024


def neighbour_mean(features: Tensor, values: Tensor, count: int = NEIGHBOURS) -> Tensor:
    """Mean of `values` over each item's nearest neighbours by cosine, the item itself left out.

    Args:
        features: [n, d] unit-length features, n at least 2.
        values: [n, K].
        count: neighbours asked; with fewer items, all the others.

    Returns:
        [n, K].
    """
    count = min(count, len(features) - 1)
    means = []
    for start in range(0, len(features), _ROWS_AT_ONCE):
        cosines = features[start : start + _ROWS_AT_ONCE] @ features.T
        rows = torch.arange(len(cosines), device=cosines.device)
        cosines[rows, rows + start] = -torch.inf
        means.append(values[cosines.topk(count, dim=1).indices].mean(dim=1))
    return torch.cat(means)
