"""The target data as closed forms see it: features, zero-shot prototypes, and a scale that the data itself gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from scipy.optimize import minimize_scalar
from torch import Tensor

from pouf_core.closed_forms.neighbours import Neighbours, nearest_neighbours
from pouf_core.scoring import row_pieces

_SCALES = (1.0, 1000.0)
_KEPT_COSINES = 50_000_000  # numbers that are kept rather than computed whenever they are needed
_VOTERS = 3  # neighbours whose classes an item's scores are compared with


@dataclass(frozen=True)
class Target:
    """Target data and classes.

    Attributes:
        features: [n, d] of unit length.
        prototypes: [K, d] zero-shot prototypes of unit length.
        neighbours: of every item among the others.
        scale: between cosines and logits, as the data gives it; see `neighbour_scale`.
    """

    features: Tensor
    prototypes: Tensor
    neighbours: Neighbours
    scale: float

    def part(self, rows: Tensor) -> Target:
        """Some of the items, by number [m], with their own neighbours and the scale of all."""
        features = self.features[rows]
        return Target(features, self.prototypes, nearest_neighbours(features), self.scale)

    @property
    def pieces(self) -> list[slice]:
        """All rows, in pieces of which a few tensors [r, K] fit in memory."""
        return row_pieces(len(self.features), len(self.prototypes))

    def cosines(self, rows: slice | Tensor) -> Tensor:
        """[r, K] of some items and the prototypes."""
        return self.features[rows] @ self.prototypes.T if self._cosines is None else self._cosines[rows]

    def probabilities(self, rows: slice | Tensor) -> Tensor:
        """[r, K] zero-shot probabilities of some items at the data's own scale."""
        return (self.scale * self.cosines(rows)).softmax(dim=1)

    @cached_property
    def _cosines(self) -> Tensor | None:
        few = len(self.features) * len(self.prototypes) <= _KEPT_COSINES
        return self.features @ self.prototypes.T if few else None


def target_of(features: Tensor, prototypes: Tensor) -> Target:
    """The target data of n >= 2 features [n, d] and K prototypes [K, d], all of unit length."""
    neighbours = nearest_neighbours(features)
    return Target(features, prototypes, neighbours, neighbour_scale(features @ prototypes.T, neighbours))


def neighbour_scale(cosines: Tensor, neighbours: Neighbours) -> float:
    """The logit scale at which an item's class probabilities best predict its nearest neighbours' classes.

    It calibrates without labels, and does not depend on the scale that a model was trained with, or that a caller
    gives: temperature scaling (Guo et al., 2017, arXiv 1706.04599) with the most similar classes of the three nearest
    neighbours in place of the label. The cross-entropy is convex in the scale.

    Args:
        cosines: [n, K] of items and zero-shot prototypes.
        neighbours: of the items.

    Returns:
        The scale, from 1 to 1000.
    """
    votes = cosines.argmax(dim=1)[neighbours.indices[:, :_VOTERS]]
    of_votes = cosines.gather(1, votes).mean().item()

    def loss(logarithm: float) -> float:
        scale = math.exp(logarithm)
        pieces = row_pieces(*cosines.shape)
        total = sum((scale * cosines[rows]).logsumexp(dim=1).sum().item() for rows in pieces)
        return total / len(cosines) - scale * of_votes

    bounds = (math.log(_SCALES[0]), math.log(_SCALES[1]))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.02}).x)
