"""Gaussian classes with one diagonal variance, by which an item is judged without taking part in them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_LEAST_VARIANCE = 1e-8


class GaussianClasses:
    """K classes over n items.

    Args:
        centred: [n, d] features about their mean.
        anchors: [K, d] what the means are held by, or a number for the same everywhere.
        anchor_items: how many items that weighs, above 0.

    Attributes:
        mass: [K] items of each class.
        precision: [d] one over the variance.
        weights: [K, d] means times precision.
        norms: [K] squared lengths of the means in units of the variance.
    """

    mass: Tensor
    precision: Tensor
    weights: Tensor
    norms: Tensor

    def __init__(self, centred: Tensor, anchors: Tensor | float, anchor_items: float) -> None:
        self._centred, self._anchors, self._anchor_items = centred, anchors, anchor_items
        self._second_moment = centred.square().mean(dim=0)

    def fit(self, posteriors: Iterable[tuple[slice, Tensor]]) -> None:
        """Means and variance from the posteriors [r, K] of some rows at a time, together all n.

        The classes as they were answer `likelihood` until the last of them was given.
        """
        mass, sums = torch.zeros(()), torch.zeros(())
        for rows, posterior in posteriors:
            mass = mass + posterior.sum(dim=0)
            sums = sums + posterior.T @ self._centred[rows]
        means = (sums + self._anchor_items * self._anchors) / (mass + self._anchor_items)[:, None]
        within = mass[:, None] * means.square() - 2 * means * sums
        variance = self._second_moment + within.sum(dim=0) / len(self._centred)
        self.mass = mass
        self.precision = 1 / variance.clamp(min=_LEAST_VARIANCE)
        self.weights = means * self.precision
        self.norms = (means * self.weights).sum(dim=1)

    def likelihood(self, rows: slice | Tensor, posterior: Tensor) -> Tensor:
        """Gaussian log-likelihood [r, K] up to a term of the item, by means without the item.

        With c = q / (m + anchor) of item x in class k, the mean without it is (mu - c x) / (1 - c), so that x lies
        1 / (1 - c) times as far from it as from mu.

        Args:
            rows: the items.
            posterior: [r, K] of these, as they were given to `fit`.
        """
        own = self._centred[rows]
        lengths = own.square() @ self.precision
        nearness = torch.addmm(-self.norms / 2, own, self.weights.T).sub_(lengths[:, None] / 2)
        others = (posterior / -(self.mass + self._anchor_items)).add_(1)
        return nearness.div_(others.square_())
