"""How far to go from the zero-shot weights to the trained ones, told without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.weight_average import towards
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.validation.criteria import failed_change_checks
from pouf_core.validation.gain import estimate_gain, gain_row, is_served, preference
from pouf_core.validation.measurements import measure_change
from pouf_core.validation.selection import Weights
from pouf_core.validation.thresholds import Thresholds

SHARES = (1.0, 0.75, 0.5, 0.25)
"""The shares of the way that are tried."""


@dataclass(frozen=True)
class Trusted:
    """Weights that are trusted.

    Attributes:
        share: of the way from the zero-shot weights to the trained ones.
        gain: over zero-shot, where that is what they are trusted by.
    """

    share: float
    gain: EstimatedGain | None


class Interpolation:
    """Weights on the line between the zero-shot and the trained ones (WiSE-FT; Wortsman et al., arXiv 2109.01903).

    They keep more of what the base model knows than the trained ones, and often classify better than either end.

    Args:
        learner: with the trained weights.
        begin: the zero-shot weights, as `learner.tensors` gave them.
        logits: class logits [m, K] of the judged items under the learner's present weights.
        inputs: the data and the classes.
        zero_shot: the base model's own classifier.
    """

    def __init__(
        self,
        learner: Weights,
        begin: dict[str, Tensor],
        logits: Callable[[], Tensor],
        inputs: RunInputs,
        zero_shot: ZeroShot,
    ) -> None:
        self._learner, self._logits = learner, logits
        self._begin, self._end = begin, learner.tensors()
        self._inputs, self._zero_shot = inputs, zero_shot

    def by_checks(self, thresholds: Thresholds) -> Trusted | None:
        """The largest share whose change of the predictions fails no check."""
        names = [item.name for item in self._inputs.request.classes]
        for share in SHARES:
            change = measure_change(self._zero_shot.views, self._at(share).softmax(dim=1))
            if not failed_change_checks(change, names, thresholds):
                return Trusted(share, None)
        return None

    def by_gain(self, least: float) -> Trusted | None:
        """The share with the best estimated gain, where that is to be served and lies above `least` points."""
        witness, row = self._zero_shot.witness, gain_row(self._inputs.request.base)
        gains = {share: estimate_gain(witness.evidence(self._at(share).argmax(dim=1)), row) for share in SHARES}
        best = max(gains, key=lambda share: preference(gains[share]))
        return Trusted(best, gains[best]) if is_served(gains[best]) and gains[best].points > least else None

    def settle(self, share: float) -> None:
        """Put the weights at this share of the way into the learner."""
        self._learner.load_tensors(towards(self._begin, self._end, share))

    def _at(self, share: float) -> Tensor:
        self.settle(share)
        return self._logits()
