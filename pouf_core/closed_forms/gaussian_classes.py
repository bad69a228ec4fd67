"""Gaussian classes with one diagonal variance, by which an item is judged without taking part in them."""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_VARIANCE = 1e-8
_ROWS_AT_ONCE = 2048


def row_pieces(count: int) -> list[slice]:
    """Slices of so many rows that together are all of them; a tensor [n, K] is worked on piece by piece."""
    return [slice(start, start + _ROWS_AT_ONCE) for start in range(0, count, _ROWS_AT_ONCE)]


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

    def fit(self, posterior: Tensor) -> None:
        """Means and variance from the items' posteriors [n, K], which are kept as they are."""
        self._posterior = posterior
        self.mass = posterior.sum(dim=0)
        sums = posterior.T @ self._centred
        means = (sums + self._anchor_items * self._anchors) / (self.mass + self._anchor_items)[:, None]
        within = self.mass[:, None] * means.square() - 2 * means * sums
        variance = self._second_moment + within.sum(dim=0) / len(self._centred)
        self.precision = 1 / variance.clamp(min=_LEAST_VARIANCE)
        self.weights = means * self.precision
        self.norms = (means * self.weights).sum(dim=1)

    def likelihood(self, rows: slice) -> Tensor:
        """Gaussian log-likelihood [r, K] up to a term of the item, by means without the item.

        With c = q / (m + anchor) of item x in class k, the mean without it is (mu - c x) / (1 - c), and its products
        with x and with itself follow from those of mu.
        """
        own = self._centred[rows]
        share = self._posterior[rows] / (self.mass + self._anchor_items)
        rest = 1 / (1 - share)
        product = own @ self.weights.T
        length = (own.square() @ self.precision)[:, None]
        without = (product - share * length) * rest
        norms = (self.norms - 2 * share * product + share.square() * length) * rest.square()
        return without - norms / 2

    def likelihoods(self) -> Tensor:
        """`likelihood` [n, K] of all items."""
        return torch.cat([self.likelihood(rows) for rows in row_pieces(len(self._centred))])
