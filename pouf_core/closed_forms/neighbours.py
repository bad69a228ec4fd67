"""Nearest neighbours among the items themselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

NEIGHBOURS = 10
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of n items, the item itself left out.

    Attributes:
        indices: [n, k], nearest first.
        weights: [n, k] cosines that are not negative, scaled so that a row sums to 1, or to 0 where all are 0.
    """

    indices: Tensor
    weights: Tensor

    def mean(self, values: Tensor, rows: slice = slice(None)) -> Tensor:
        """Weighted mean [r, K] of the neighbours' values [n, K], for some of the rows.

        One neighbour at a time: a tensor [r, k, K] of all would not fit for thousands of classes.
        """
        indices, weights = self.indices[rows], self.weights[rows].to(values.dtype)
        total = torch.zeros(len(indices), values.shape[1], dtype=values.dtype, device=values.device)
        for place in range(indices.shape[1]):
            total.addcmul_(values[indices[:, place]], weights[:, place, None])
        return total


def nearest_neighbours(features: Tensor, count: int = NEIGHBOURS) -> Neighbours:
    """The neighbours by cosine about the mean of all items, which takes off what all have in common.

    Args:
        features: [n, d], n at least 2.
        count: neighbours of an item; with fewer items, all the others.
    """
    cosines, indices = nearest(normalize(features - features.mean(dim=0), dim=1), count)
    weights = cosines.clamp(min=0)
    return Neighbours(indices, weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6))


def nearest(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Cosines and indices [n, k] of each item's nearest neighbours, nearest first, the item itself left out.

    Args:
        features: [n, d] of unit length, n at least 2.
        count: k; with fewer items, all the others.
    """
    count = min(count, len(features) - 1)
    cosines, indices = [], []
    for part in torch.arange(len(features), device=features.device).split(_ROWS_AT_ONCE):
        near = features[part] @ features.T
        near[torch.arange(len(part), device=near.device), part] = -torch.inf
        found = near.topk(count, dim=1)
        cosines.append(found.values)
        indices.append(found.indices)
    return torch.cat(cosines), torch.cat(indices)
