"""The closed forms that are tried, by tune mode, and how each is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from pouf_core.closed_forms.calibration import residual_bias
from pouf_core.closed_forms.mixture import MixtureSettings, fit_mixture
from pouf_core.closed_forms.presence import presence_bias
from pouf_core.closed_forms.target import Target
from pouf_core.contract.closed_forms import ClosedFormSettings, ClosedFormTune
from pouf_core.scoring import LinearClassifier

SHARE = 0.5
"""How much of what items have in common is taken off."""
TRUSTING = 2.0
"""Of the data's own scale: a likelihood that weighs much goes with a text that does, or it drowns fine distinctions."""
PROPAGATED = 3.0
"""Weight of the neighbours' mean posterior."""


class ClosedForms:
    """The closed forms over one set of target data; what several of them need is computed once.

    Args:
        target: the data and the classes.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def settings(self, tunes: frozenset[ClosedFormTune]) -> Iterator[ClosedFormSettings]:
        """The closed forms of some tune modes, the cheapest first."""
        if "calibrate" in tunes:
            for factor in (1.0, TRUSTING):
                yield self._form("calibrate", factor, residual=True)
        if "gaussian" in tunes:
            for temper in (0.02, 0.08):
                for residual in (False, True):
                    yield self._form("gaussian", TRUSTING, temper=temper, residual=residual, presence=True)
            yield self._form("gaussian", TRUSTING, temper=0.02, residual=True)
        if "propagate" in tunes:
            for residual in (False, True):
                yield self._form("propagate", TRUSTING, temper=0.08, residual=residual, presence=True)
            for presence in (False, True):
                yield self._form("propagate", 1.0, temper=0.01, residual=True, presence=presence)

    def _form(
        self,
        tune: ClosedFormTune,
        scale_factor: float,
        *,
        temper: float | None = None,
        residual: bool = False,
        presence: bool = False,
    ) -> ClosedFormSettings:
        return ClosedFormSettings(
            tune=tune,
            logit_scale=scale_factor * self._target.scale,
            calibrated="residual" if residual else None,
            share=SHARE if residual else None,
            temper=temper,
            graph_weight=PROPAGATED if tune == "propagate" else None,
            presence=None if tune == "calibrate" else presence,
        )

    def fit(self, settings: ClosedFormSettings) -> LinearClassifier:
        """One of them."""
        prototypes = self._target.prototypes
        bias = torch.zeros(len(prototypes)).to(prototypes)
        if settings.calibrated is not None:
            bias = bias + self._residual
        if settings.presence:
            bias = bias + self._presence
        if settings.temper is None:
            return LinearClassifier(prototypes, settings.logit_scale * prototypes, bias)
        how = MixtureSettings(settings.logit_scale, settings.temper, graph_weight=settings.graph_weight or 0.0)
        mixture = fit_mixture(self._target, how, bias)
        return LinearClassifier(prototypes, mixture.weights, mixture.bias)

    @cached_property
    def _residual(self) -> Tensor:
        return residual_bias(self._target, SHARE)

    @cached_property
    def _presence(self) -> Tensor:
        return presence_bias(self._target)
