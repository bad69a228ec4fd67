"""Re-weighting a classifier's scores so that its predictions have a given class prior.

The plan of entropic optimal transport between n items (weight 1/n each) and K classes (weighted by the prior), with
cost -log p and regularisation 1, is P_ik = u_i p_ik v_k (Cuturi, 2013). Its rows, normalised, are probabilities whose
mean is the prior, and log v_k is all that they need: one bias a class, which works for items that come later too.
"""

from __future__ import annotations

import ot
import torch
from torch import Tensor

_SMALLEST_PROBABILITY = 1e-9
_REGULARISATION = 1.0
_MOST_ITEMS = 20_000  # a random sample as good as all: items are in order of content hash
_ITERATIONS = 10_000
_TOLERANCE = 1e-9


def matching_bias(probabilities: Tensor, prior: Tensor) -> Tensor:
    """What to add to each class's logit for predictions with the class prior.

    Args:
        probabilities: [n, K] class probabilities of the target data.
        prior: [K] positive shares that sum to 1.

    Returns:
        [K] biases in float64, on the CPU, with mean 0.
    """
    sample = probabilities[:_MOST_ITEMS].detach().double().cpu()
    weights = torch.full((len(sample),), 1 / len(sample), dtype=torch.float64)
    cost = -sample.clamp(min=_SMALLEST_PROBABILITY).log()
    _, log = ot.sinkhorn(
        weights,
        prior.detach().double().cpu(),
        cost,
        _REGULARISATION,
        method="sinkhorn_log",
        numItermax=_ITERATIONS,
        stopThr=_TOLERANCE,
        log=True,
    )
    bias: Tensor = log["log_v"]
    return bias - bias.mean()
