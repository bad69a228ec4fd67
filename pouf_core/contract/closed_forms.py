"""Closed forms: their settings, and what the evidence says of each that was tried."""

from __future__ import annotations

from typing import Literal, get_args

from pouf_core.contract.document import Document

ClosedFormTune = Literal["calibrate", "gaussian", "propagate"]
CLOSED_FORM_TUNES: tuple[ClosedFormTune, ...] = get_args(ClosedFormTune)


class EstimatedGain(Document):
    """How much more accurate than zero-shot an adaptation is, told without labels.

    Attributes:
        points: percentage points of accuracy; negative for a loss.
        low, high: a 90 % interval.
    """

    points: float
    low: float
    high: float


class ClosedFormSettings(Document):
    """A closed form with its numbers; those that it does not use are None. See docs/closed-forms.md.

    Attributes:
        tune: its tune mode.
        logit_scale: between cosines and logits of the text, as the data gives it; 1 for language models, whose logits
            are no cosines.
        calibrated: what is taken off: the `residual` mean, which classes do not explain; for language models the
            `mean_logit`. Models of earlier versions also have `mean_feature`.
        share: how much of that, from 0 to 1.
        temper: power of the Gaussian likelihood.
        graph_weight: weight of the neighbours' mean posterior.
        presence: whether classes without support attract nothing.
    """

    tune: ClosedFormTune
    logit_scale: float
    calibrated: Literal["residual", "mean_logit", "mean_feature"] | None = None
    share: float | None = None
    temper: float | None = None
    graph_weight: float | None = None
    presence: bool | None = None


class CandidateEstimate(Document):
    """A closed form that was tried.

    Attributes:
        settings: which.
        changed: share of the items whose class it changes.
        estimated_gain: over zero-shot.
        passed_over: whether it was out of the choice: it asks which classes are there, and changes fewer items than a
            mixture beside it that does not ask.
    """

    settings: ClosedFormSettings
    changed: float
    estimated_gain: EstimatedGain
    passed_over: bool = False
