"""Which classes are there: those without support attract nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from pouf_core.closed_forms.mixture import MixtureSettings, fit_mixture
from pouf_core.closed_forms.target import Target

HALF_SHARE = 0.5
_HALF_OF_TWO = 0.48
_STEEPNESS = 8
_ROUNDS = 3
_LEAST_BIAS = -12.0
_SUPPORT = {"temper": 0.02, "text_weight": 0.5}
"""A mixture that trusts the text half as much and features little: its shares tell best which classes are there."""


def presence_bias(target: Target) -> Tensor:
    """Logits [K], at most 0, that keep classes without support from attracting items.

    A class's share is compared with the share that the class of a random item has, so that classes which are merely
    rarer than others keep nearly all of their weight. Shares are estimated again after each round, since the items of a
    class that is not there go to those that are.

    Args:
        target: the data and the classes.
    """
    bias = torch.zeros(len(target.prototypes)).to(target.prototypes)
    for _ in range(_ROUNDS):
        shares = fit_mixture(target, MixtureSettings(target.scale, **_SUPPORT), bias).shares
        bias = support_bias(shares)
    return bias


def support_bias(shares: Tensor) -> Tensor:
    """log(u^8 / (u^8 + h^8)) of u, the classes' shares over the typical one; at least -12.

    Typical is the sum of squares, and h is 0.5. Of two classes typical is the other one's share, and h is 0.48: with
    its own square in it, one of two classes would need to have less than a quarter to be short of support.

    Args:
        shares: [K], summing to 1.
    """
    two = len(shares) == 2
    typical = shares.flip(0) if two else shares.square().sum()
    relative = (shares / typical.clamp(min=1e-6)).clamp(min=1e-6)
    half = _HALF_OF_TWO if two else HALF_SHARE
    return -torch.log1p((half / relative) ** _STEEPNESS).clamp(max=-_LEAST_BIAS)
