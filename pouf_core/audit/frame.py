"""What is known of every item of a dataset before anybody looks at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pouf_core.contract.abstention import VariantName

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

DISAGREEMENT = 0.05
"""By how many ranks, as a share of all items, an item is more suspected because the adaptation changed its class."""
POOL = 2
"""Of how many times as many suspected items those are chosen that spread over clusters and classes."""


@dataclass(frozen=True)
class Frame:
    """Predictions of the N items from which an audit draws.

    Attributes:
        adapted, zero_shot: [N] classes by either variant, as places among the class names.
        served: the variant that is served.
        probability: [N] of the served class.
        runner_up: [N] the class that comes second.
        runner_up_probability: [N].
        cluster: [N] of its features: items of one cluster are alike.
    """

    adapted: Integers
    zero_shot: Integers
    served: VariantName
    probability: Numbers
    runner_up: Integers
    runner_up_probability: Numbers
    cluster: Integers

    def __len__(self) -> int:
        """N."""
        return len(self.adapted)

    @property
    def label(self) -> Integers:
        """The served class [N]."""
        return self.adapted if self.served == "adapted" else self.zero_shot

    @property
    def changed(self) -> Booleans:
        """Whether [N] the adaptation changed the class."""
        found: Booleans = self.adapted != self.zero_shot
        return found

    def by_suspicion(self) -> Integers:
        """Items [N] from the one that is most likely wrong: small margins first, changed items a little earlier."""
        margin = self.probability - self.runner_up_probability
        rank = np.empty(len(self))
        rank[np.argsort(margin, kind="stable")] = np.arange(len(self)) / len(self)
        return np.argsort(rank - DISAGREEMENT * self.changed, kind="stable")

    def suspected(self, count: int) -> Integers:
        """So many items [count], by number, that are likely wrong, each for another reason where there are as many.

        Of the twice as many that are most suspected, those come first that are the most suspected of their cluster and
        class, then those that come second in theirs, and so on: ten more of a mistake that is known teach little.
        """
        pool = self.by_suspicion()[: POOL * count]
        _, cells = np.unique(np.stack([self.cluster[pool], self.label[pool]]), axis=1, return_inverse=True)
        cells = cells.reshape(-1)  # NumPy 2.0.0 gives [1, n]
        order = np.argsort(cells, kind="stable")
        _, starts, sizes = np.unique(cells[order], return_index=True, return_counts=True)
        place = np.empty(len(pool), dtype=np.int64)
        place[order] = np.arange(len(pool)) - np.repeat(starts, sizes)
        return pool[np.argsort(place, kind="stable")][:count]
