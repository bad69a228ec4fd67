"""Re-weighting a classifier's scores so that its predictions have a given class prior.

The plan of entropic optimal transport between n items (weight 1/n each) and K classes (weighted by the prior), with
cost -log p and regularisation 1, is P_ik = u_i p_ik v_k (Cuturi, 2013). Its rows, normalised, are probabilities whose
mean is the prior, and log v_k is all that they need: one bias a class, which works for items that come later too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pouf_core.scoring import row_pieces

MOST_ITEMS = 20_000  # a random sample as good as all: items are in order of content hash
_ITERATIONS = 3_000
_TOLERANCE = 1e-6
CONVERGED = 1e-4  # share of the mass that may be misplaced


def matching_bias(logits: Tensor, prior: Tensor) -> tuple[Tensor, float]:
    """What to add to each class's logit for predictions with the class prior.

    Sinkhorn's iteration in logarithms: v_k is multiplied by the class's share over the mean of its probabilities, and
    u_i is what makes an item's probabilities sum to 1. So a piece of the items at a time is enough.

    Args:
        logits: [n, K] class logits of the target data. Logits, since the probabilities of a confident model are too
            small for float32, and a cost cut off at a smallest probability has another plan.
        prior: [K] positive shares that sum to 1.

    Returns:
        [K] biases in float64, on the CPU, with mean 0; and the share of the mass that the predictions, so biased,
        still misplace, which is above `CONVERGED` only where the iteration was stopped early.
    """
    scores = logits[:MOST_ITEMS].detach().cpu()
    shares = prior.detach().double().cpu()
    bias = torch.zeros_like(shares)
    marginal = _log_marginal(scores, bias)
    for _ in range(_ITERATIONS):
        if _misplaced(marginal, shares) <= _TOLERANCE:
            break
        bias += shares.log() - marginal
        marginal = _log_marginal(scores, bias)
    return bias - bias.mean(), _misplaced(marginal, shares)


def _misplaced(marginal: Tensor, shares: Tensor) -> float:
    return ((marginal.exp() - shares).abs().sum() / 2).item()


def _log_marginal(scores: Tensor, bias: Tensor) -> Tensor:
    """Logarithms [K] of the mean probabilities, in float64, of which only pieces are held."""
    total = torch.full_like(bias, -torch.inf)
    for rows in row_pieces(*scores.shape):
        total = torch.logaddexp(total, (scores[rows] + bias).log_softmax(dim=1).logsumexp(dim=0))
    return total - torch.tensor(len(scores), dtype=bias.dtype).log()
