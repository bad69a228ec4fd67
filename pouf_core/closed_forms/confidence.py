"""How sure a fitted classifier may be, told without labels."""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from pouf_core.scoring import LinearClassifier, logit_pieces, row_pieces

_MOST_CONFIDENT = 0.999
_LOGARITHMS = (-8.0, 8.0)


def with_confidence(classifier: LinearClassifier, features: Tensor, accuracy: float) -> LinearClassifier:
    """The same classes with logits scaled so that the mean largest probability is the expected accuracy.

    Fitted likelihoods are surer than they are right. A classifier whose mean confidence is its accuracy is calibrated
    on average (Guo et al., 2017, arXiv 1706.04599); where the accuracy can only be estimated, so is its confidence.

    Args:
        classifier: K classes.
        features: [n, d] that the mean is taken over.
        accuracy: expected share of right classes.
    """
    factor = confidence_factor(torch.cat(list(logit_pieces(classifier, features))), accuracy)
    return LinearClassifier(classifier.prototypes, factor * classifier.weights, factor * classifier.bias)


def confidence_factor(logits: Tensor, accuracy: float) -> float:
    """What class logits [n, K] are multiplied by for a mean largest probability of the expected accuracy.

    The accuracy is kept between just above chance and 0.999. 1 where all logits of an item are equal, or nearly.
    """
    pieces = row_pieces(*logits.shape)
    chance = 1 / logits.shape[1]
    wanted = min(max(accuracy, chance + 0.01 * (1 - chance)), _MOST_CONFIDENT)

    def excess(logarithm: float) -> float:
        factor = math.exp(logarithm)
        largest = ((factor * logits[rows]).softmax(dim=1).amax(dim=1).sum().item() for rows in pieces)
        return sum(largest) / len(logits) - wanted

    low, high = _LOGARITHMS
    if excess(low) >= 0 or excess(high) <= 0:
        return 1.0
    return math.exp(brentq(excess, low, high, xtol=0.01))
