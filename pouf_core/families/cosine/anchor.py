"""Holding prototypes near the place where training began."""

from __future__ import annotations

from torch import Tensor

from pouf_core.scoring import CosineClassifier


class Anchor:
    """A price for leaving that place, so that prototypes go as far as the data pulls.

    An adaptive optimiser alone takes steps of one size, whether or not there is anything to learn.

    Args:
        weight: price of the mean squared distance; 0 for none.
        prototypes: [K, d] where training begins, of unit length, without gradients.
    """

    def __init__(self, weight: float, prototypes: Tensor) -> None:
        self._weight = weight
        self._prototypes = prototypes

    def penalty(self, classifier: CosineClassifier) -> Tensor | None:
        """The price, a scalar, or None without one."""
        if not self._weight:
            return None
        return self._weight * (classifier.prototypes - self._prototypes).square().sum(dim=1).mean()
