"""The class prior: expected share of each class in the target data."""

from __future__ import annotations

import torch
from torch import Tensor

EM_STEPS = 100
_SMALLEST_SHARE = 0.1  # of 1/K: a class that zero-shot never predicts keeps a tenth of a uniform share


def estimate_prior(probabilities: Tensor, pseudo_count: float) -> Tensor:
    """Class shares by expectation maximisation on zero-shot probabilities (Saerens et al., 2002).

    Each round weighs the probabilities by the present shares and takes their mean, with a Dirichlet prior that
    pulls towards uniform.

    Args:
        probabilities: [n, K] zero-shot class probabilities.
        pseudo_count: strength of the pull to uniform, in items.

    Returns:
        [K] positive shares that sum to 1, in float64.
    """
    scores = probabilities.double()
    item_count, class_count = scores.shape
    prior = torch.full((class_count,), 1 / class_count, dtype=torch.float64)
    for _ in range(EM_STEPS):
        weighted = scores * prior
        responsibilities = weighted / weighted.sum(dim=1, keepdim=True)
        prior = (responsibilities.sum(dim=0) + pseudo_count / class_count) / (item_count + pseudo_count)
    floored = prior.clamp(min=_SMALLEST_SHARE / class_count)
    return floored / floored.sum()
