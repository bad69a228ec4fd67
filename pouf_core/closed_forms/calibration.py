"""Calibration: what all items have in common is taken off, in part."""

from __future__ import annotations

import torch
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
