"""Groups of items that are alike, by their features."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.predictions.stored import Clusters

CLUSTERS, LEAST_OF_CLUSTER = 32, 10
_FITTED, _STEPS = 1000, 5


class Clustering:
    """Clusters of unit-length features by k-means: 32 of them, and fewer of fewer than 320 items.

    Args:
        features: [m, d] of items drawn at random; the first 1,000 are looked at. The same features give the same
            clusters.
    """

    def __init__(self, features: Tensor) -> None:
        from scipy.cluster.vq import kmeans2  # takes a while, and only this needs it

        rows = _unit_length(features[:_FITTED])
        count = max(1, min(CLUSTERS, len(rows) // LEAST_OF_CLUSTER))
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # where items repeat, clusters are fewer
            warnings.simplefilter("ignore", UserWarning)
            centres, _ = kmeans2(rows, count, _STEPS, minit="++", rng=0)
        self._centres = torch.from_numpy(centres)

    def of(self, features: Tensor) -> Clusters:
        """The clusters [n] of features [n, d]."""
        nearest = torch.cdist(torch.from_numpy(_unit_length(features)), self._centres).argmin(dim=1)
        found: Clusters = nearest.numpy().astype(np.int16)
        return found


def _unit_length(features: Tensor) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = normalize(features.detach().cpu().float(), dim=1).numpy()
    return found
