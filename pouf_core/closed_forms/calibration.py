"""Calibration: what all items have in common is taken off, in part."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.closed_forms.target import Target
from pouf_core.scoring import LinearClassifier


def mean_logit_calibration(target: Target, share: float) -> LinearClassifier:
    """Take a share of its mean logit off every class.

    Batch calibration (Zhou et al., 2024, arXiv 2309.17249), which takes off all of it and so expects classes of equal
    size.
    """
    weights = target.scale * target.prototypes
    return LinearClassifier(target.prototypes, weights, -share * weights @ target.features.mean(dim=0))


def mean_logit_bias(logits: Iterable[Tensor], share: float) -> Tensor:
    """As `mean_logit_calibration`, the bias [K] alone, for a classifier that is kept as it is.

    Args:
        logits: [b, K] class logits of some items at a time, at least one.
        share: how much of the mean is taken off, from 0 to 1.

    Returns:
        Float32, on the CPU, with mean 0.
    """
    sums = [(len(piece), piece.sum(dim=0, dtype=torch.float64).cpu()) for piece in logits]
    total = torch.stack([of_piece for _, of_piece in sums]).sum(dim=0)
    mean = total / sum(count for count, _ in sums)
    return (-share * (mean - mean.mean())).float()


def mean_feature_calibration(target: Target, share: float) -> LinearClassifier:
    """Take a share of their means off features and prototypes before the cosine.

    Features and prototypes lie in two cones (Liang et al., 2022, arXiv 2203.02053); their means say nothing about
    classes. The length of a centred feature is taken as the same for all items, which keeps the classifier linear and
    changes no item's class.
    """
    offset = share * target.features.mean(dim=0)
    length = (target.features - offset).norm(dim=1).mean().clamp(min=1e-6)
    centred = normalize(target.prototypes - share * target.prototypes.mean(dim=0), dim=1)
    weights = target.scale / length * centred
    return LinearClassifier(target.prototypes, weights, -weights @ offset)


def no_change(target: Target) -> LinearClassifier:
    """Zero-shot at the data's own scale."""
    bias = torch.zeros(len(target.prototypes)).to(target.prototypes)
    return LinearClassifier(target.prototypes, target.scale * target.prototypes, bias)
