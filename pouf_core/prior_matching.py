"""Re-weighting a classifier's scores so that its predictions have a given class prior.

The plan of entropic optimal transport between n items (weight 1/n each) and K classes (weighted by the prior), with
cost -log p and regularisation 1, is P_ik = u_i p_ik v_k (Cuturi, 2013). Its rows, normalised, are probabilities whose
mean is the prior, and log v_k is all that they need: one bias a class, which works for items that come later too.
"""

from __future__ import annotations

import torch
from torch import Tensor

_REGULARISATION = 1.0
_MOST_ITEMS = 20_000  # a random sample as good as all: items are in order of content hash
_ITERATIONS = 3_000
_TOLERANCE = 1e-6
CONVERGED = 1e-4  # share of the mass that may be misplaced


def matching_bias(logits: Tensor, prior: Tensor) -> tuple[Tensor, float]:
    """What to add to each class's logit for predictions with the class prior.

    Args:
        logits: [n, K] class logits of the target data. Logits, since the probabilities of a confident model are too
            small for float32, and a cost cut off at a smallest probability has another plan.
        prior: [K] positive shares that sum to 1.

    Returns:
        [K] biases in float64, on the CPU, with mean 0; and the share of the mass that the predictions, so biased,
        still misplace, which is above `CONVERGED` only where the solver was stopped early.
    """
    import ot  # two seconds that most jobs need not wait

    scores = logits[:_MOST_ITEMS].detach().double().cpu().log_softmax(dim=1)
    shares = prior.detach().double().cpu()
    _, log = ot.sinkhorn(
        torch.full((len(scores),), 1 / len(scores), dtype=torch.float64),
        shares,
        -scores,
        _REGULARISATION,
        method="sinkhorn_log",
        numItermax=_ITERATIONS,
        stopThr=_TOLERANCE,
        log=True,
        warn=False,  # the second result tells
    )
    bias: Tensor = log["log_v"]
    misplaced = ((scores + bias).softmax(dim=1).mean(dim=0) - shares).abs().sum() / 2
    return bias - bias.mean(), misplaced.item()
