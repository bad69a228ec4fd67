"""Items of no class: how unlike its class an item is, among the items that a model was adapted to.

The largest probability says which class it is if it is one of them, and little about whether it is. Similarity to the
classes says that better, for every family of base models; `benchmarks/none_of_these.py` compares it with others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pouf_core.scoring import Scores

_LEVELS = 101


def expected_similarity(scores: Scores, class_bias: Tensor | None = None) -> Tensor:
    """Cosine [n] of each item with its class, the mean over what the class may be.

    Args:
        scores: of n items.
        class_bias: [K] added to the class logits, or None.
    """
    logits = scores.class_logits if class_bias is None else scores.class_logits + class_bias.to(scores.class_logits)
    return (scores.similarity * logits.softmax(dim=1)).sum(dim=1)


def similarity_levels(similarity: Tensor) -> list[float]:
    """Quantiles [101] of similarities [n >= 1], from the least to the largest."""
    levels = np.quantile(similarity.double().cpu().numpy(), np.linspace(0, 1, _LEVELS))
    return [float(level) for level in levels]


def none_scores(similarity: Tensor, levels: Sequence[float]) -> Tensor:
    """Scores [n] for "none of these": the share of the adapted-to items that are more similar to their class.

    Args:
        similarity: [n], see `expected_similarity`.
        levels: [101], see `similarity_levels`.

    Returns:
        [n] in [0, 1]; 0.99 is less like its class than 99 % of those items.
    """
    shares = np.interp(similarity.double().cpu().numpy(), levels, np.linspace(1, 0, len(levels)))
    return torch.from_numpy(shares)
