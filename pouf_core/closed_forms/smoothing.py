"""Class probabilities smoothed over a graph of the items."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.closed_forms.neighbours import nearest

_NEIGHBOURS = 5
_OF_NEIGHBOURS = 0.5
"""How much of an item's probabilities comes from its neighbours': as much as from itself."""
_ROUNDS = 12  # the rest is less than 0.5^12


class NeighbourGraph:
    """n items, each joined to its nearest neighbours and to those whose neighbour it is.

    Args:
        spaces: features [n, d] of the same items by one or more encoders, n at least 2. Each is taken about its mean
            and has the same say in who is near.
    """

    def __init__(self, *spaces: Tensor) -> None:
        centred = [normalize(normalize(space, dim=1) - normalize(space, dim=1).mean(dim=0), dim=1) for space in spaces]
        cosines, indices = nearest(normalize(torch.cat(centred, dim=1), dim=1), _NEIGHBOURS)
        self._weights = _normalised(cosines.clamp(min=0).cpu().numpy(), indices.cpu().numpy())

    def smooth(self, probabilities: Tensor) -> Tensor:
        """Probabilities [n, K] that agree with the given ones and with the neighbours'.

        The limit of q = (p + S q) / 2, where S are the graph's weights, symmetrically normalised: local and global
        consistency (Zhou et al., NIPS 2003).
        """
        given = probabilities.detach().cpu().numpy()
        found = given
        for _ in range(_ROUNDS):
            found = (1 - _OF_NEIGHBOURS) * given + _OF_NEIGHBOURS * (self._weights @ found)
        return torch.from_numpy(found / found.sum(axis=1, keepdims=True)).to(probabilities)


def _normalised(weights: np.ndarray, indices: np.ndarray) -> csr_array:
    """The symmetric graph [n, n] of neighbours [n, k], every weight over the root of both items' sums."""
    count, near = indices.shape
    rows = np.repeat(np.arange(count), near)
    one_way = csr_array(coo_array((weights.ravel(), (rows, indices.ravel())), shape=(count, count)))
    both = csr_array((one_way + one_way.T) / 2)
    scale = 1 / np.sqrt(np.maximum(both.sum(axis=1), 1e-6))
    return csr_array(both.multiply(scale[:, None]).multiply(scale[None, :]))
