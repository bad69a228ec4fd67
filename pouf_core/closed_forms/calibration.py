"""Calibration: what all items have in common, beyond what their classes explain, is taken off in part."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from pouf_core.closed_forms.target import Target


def residual_bias(target: Target, share: float) -> Tensor:
    """Class logits [K] of what items have in common beyond their classes, a share of it taken off; they sum to 0.

    Features and prototypes lie in two cones (Liang et al., 2022, arXiv 2203.02053), so that all items are nearer to
    some prototypes than to others. Batch calibration (Zhou et al., 2024, arXiv 2309.17249) takes the mean logit off,
    which also takes off what the data has more of. Here the mean feature is split first: with v_i the prototypes of
    item i weighted by its probabilities, x_i is regressed on v_i, one slope c from 0 to 1 for all, and what is taken
    off is the intercept, mean x - c · mean v.

    Args:
        target: the data and the classes.
        share: from 0 to 1.
    """
    features, prototypes = target.features, target.prototypes
    mean, explained = features.mean(dim=0), torch.zeros_like(features[0])
    together, squares = 0.0, 0.0
    for rows in target.pieces:
        expected = target.probabilities(rows) @ prototypes
        explained += expected.sum(dim=0) / len(features)
        together += (features[rows] * expected).double().sum().item() / len(features)
        squares += expected.double().square().sum().item() / len(features)
    covariance = together - (mean @ explained).item()
    variance = squares - explained.double().square().sum().item()
    slope = min(max(covariance / variance, 0.0), 1.0) if variance > 1e-9 else 0.0
    bias = -share * target.scale * (prototypes @ (mean - slope * explained))
    return bias - bias.mean()


def mean_logit_bias(logits: Iterable[Tensor], share: float) -> Tensor:
    """Class logits [K] that take a share of their mean logit off every class.

    Batch calibration (Zhou et al., 2024, arXiv 2309.17249), which takes off all of it and so expects classes of equal
    size.

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
