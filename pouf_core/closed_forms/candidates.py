"""The closed forms that are tried, by tune mode, and how each is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from torch import Tensor

from pouf_core.closed_forms.calibration import mean_feature_calibration, mean_logit_calibration
from pouf_core.closed_forms.mixture import MixtureSettings, fit_mixture
from pouf_core.closed_forms.presence import presence_bias
from pouf_core.closed_forms.target import Target
from pouf_core.contract.closed_forms import ClosedFormSettings, ClosedFormTune
from pouf_core.scoring import LinearClassifier

CALIBRATED_SHARE = {"mean_logit": 0.5, "mean_feature": 0.7}
SCALE_FACTORS = (0.7, 1.4)
TEMPERS = (0.02, 0.08)
PROPAGATED = 3.0
"""Weight of the neighbours' mean posterior."""
PROPAGATED_TEMPERS = (0.01, 0.04)


class ClosedForms:
    """The closed forms over one set of target data; what several of them need is computed once.

    Args:
        target: the data and the classes.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def settings(self, tunes: frozenset[ClosedFormTune]) -> Iterator[ClosedFormSettings]:
        """The closed forms of some tune modes, the cheapest first."""
        scale = self._target.scale
        if "calibrate" in tunes:
            for what, share in CALIBRATED_SHARE.items():
                yield ClosedFormSettings.model_validate(
                    {"tune": "calibrate", "logit_scale": scale, "calibrated": what, "share": share}
                )
        if "gaussian" in tunes:
            for factor in SCALE_FACTORS:
                for temper in TEMPERS:
                    yield ClosedFormSettings(tune="gaussian", logit_scale=factor * scale, temper=temper, presence=True)
        if "propagate" in tunes:
            for temper in PROPAGATED_TEMPERS:
                yield ClosedFormSettings(
                    tune="propagate", logit_scale=scale, temper=temper, graph_weight=PROPAGATED, presence=True
                )

    def fit(self, settings: ClosedFormSettings) -> LinearClassifier:
        """One of them."""
        target = self._target
        if settings.tune == "calibrate":
            calibrate = mean_logit_calibration if settings.calibrated == "mean_logit" else mean_feature_calibration
            return calibrate(target, settings.share or 0.0)
        how = MixtureSettings(settings.logit_scale, settings.temper or 0.0, graph_weight=settings.graph_weight or 0.0)
        mixture = fit_mixture(target, how, self._presence if settings.presence else None)
        return LinearClassifier(target.prototypes, mixture.weights, mixture.bias)

    @cached_property
    def _presence(self) -> Tensor:
        return presence_bias(self._target)
