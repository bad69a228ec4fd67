"""Which classes are there: those without support attract nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from pouf_core.closed_forms.mixture import MixtureSettings, fit_mixture
from pouf_core.closed_forms.target import Target

_LEAST_SHARE = 0.5
_LEAST_SHARE_OF_TWO = 0.48
_LEAST_AGREEMENT = 0.7
_VOTERS = 3  # neighbours
_STEEPNESS = 8
_ROUNDS = 3
_LEAST_BIAS = -12.0
_SUPPORT = {"temper": 0.02, "text_weight": 0.5}
"""A mixture that trusts the text half as much and features little: it tells best which classes are there."""


def presence_bias(target: Target) -> Tensor:
    """Logits [K], at most 0, that keep classes without support from attracting items.

    A class is without support where it has few items and these do not lie together: a rare class is small, but its
    items lie close to each other, and those of a class that is not there are strays from others. Support is estimated
    again after each round, since the items of a class that is not there go to those that are.

    Args:
        target: the data and the classes.
    """
    bias = torch.zeros(len(target.prototypes)).to(target.prototypes)
    for _ in range(_ROUNDS):
        mixture = fit_mixture(target, MixtureSettings(target.scale, **_SUPPORT), bias)
        bias = support_bias(mixture.shares, relative_agreement(mixture.classes, target))
    return bias


def relative_agreement(classes: Tensor, target: Target) -> Tensor:
    """[K], how often the neighbours of a class's items have that class too, over how often that is so of all items.

    Args:
        classes: [n] classes of the items.
        target: the data and the classes.
    """
    agree = (classes[target.neighbours.indices[:, :_VOTERS]] == classes[:, None]).float().mean(dim=1)
    counts = classes.bincount(minlength=len(target.prototypes))
    sums = torch.zeros(len(counts)).to(agree).index_add_(0, classes, agree)
    return sums / counts.clamp(min=1) / agree.mean().clamp(min=1e-6)


def support_bias(shares: Tensor, agreement: Tensor) -> Tensor:
    """log(u^8 / (u^8 + 1)), at least -12, where u is a class's support: of these two the larger.

    - its share over half of the typical one, which is 1 over the perplexity of the shares, so that a few large classes
      do not make all others look small;
    - its items' agreement over 0.7.

    Of two classes only the share counts; typical is the other one's share, and 0.48 of it stands in place of half.

    Args:
        shares: [K], summing to 1.
        agreement: [K] as `relative_agreement` gives it.
    """
    if len(shares) == 2:
        support = shares / shares.flip(0).clamp(min=1e-6) / _LEAST_SHARE_OF_TWO
    else:
        typical = (shares * shares.clamp(min=1e-12).log()).sum().exp()
        support = torch.maximum(shares / typical / _LEAST_SHARE, agreement / _LEAST_AGREEMENT)
    return -torch.log1p(support.clamp(min=1e-6) ** -_STEEPNESS).clamp(max=-_LEAST_BIAS)
