"""What answering only the surest items is expected to give, without labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.closed_forms.confidence import confidence_factor
from pouf_core.contract.abstention import Abstention, AnswerCurve, VariantName
from pouf_core.contract.findings import finding
from pouf_core.validation.abstention import answer_curve
from pouf_core.validation.gain import estimate_gain, gain_row


@dataclass(frozen=True)
class _Accuracies:
    """Shares of right classes, estimated without labels."""

    zero_shot: float
    adapted: float


def estimate_abstention(
    inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome, served: VariantName
) -> tuple[Outcome, Abstention | None]:
    """The outcome with its confidence, and the curves of both variants over the items that the verdict looks at.

    No curves for language models, whose items have no cosines with prompts; nor for a single item. Warns where
    threshold `auto` was asked for and the `served` variant has none.
    """
    accuracies, abstention = _expected_accuracies(inputs, zero_shot, outcome), None
    if accuracies is not None:
        wished, logits = inputs.request.wished_accuracy, outcome.predicted.logits.cpu()
        if _takes_confidence(outcome):
            outcome = replace(outcome, confidence=confidence_factor(logits, accuracies.adapted))
        abstention = Abstention(
            wished_accuracy=wished,
            adapted=_curve(outcome.confidence * logits, accuracies.adapted, wished),
            zero_shot=_curve(zero_shot.logits.cpu(), accuracies.zero_shot, wished),
        )
    if inputs.request.threshold == "auto" and (abstention is None or abstention[served].proposed is None):
        reason = "accuracy cannot be estimated here" if abstention is None else "no items are expected to reach it"
        message = f"No threshold is proposed for the wished accuracy, since {reason}: every item gets a class."
        inputs.reporter.warn("evaluating", finding("threshold_not_proposed", message))
    return outcome, abstention


def _takes_confidence(outcome: Outcome) -> bool:
    """Whether it was trained, which makes it surer than it is right; preset `paper` is served as it was trained."""
    method = outcome.method
    return method.type == "pouf" and method.preset != "paper" and outcome.selected_step > 0


def _expected_accuracies(inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome) -> _Accuracies | None:
    """Zero-shot's certainty at the data's own scale, and that with the gain that the evidence speaks for."""
    base, count = inputs.request.base, zero_shot.judged_count
    if base.kind == "language" or count < 2:
        return None
    witness, gain = zero_shot.witness, outcome.estimated_gain
    if gain is None:
        gain = estimate_gain(witness.evidence(outcome.predicted.logits.argmax(dim=1)), gain_row(base))
    return _Accuracies(witness.certainty, witness.certainty + gain.points / 100)


def _curve(logits: Tensor, accuracy: float, wished_accuracy: float) -> AnswerCurve:
    """The curve of class logits [m, K] whose softmax is served, calibrated to an expected accuracy."""
    scores, confidence = (
        (factor * logits).softmax(dim=1).max(dim=1).values for factor in (1.0, confidence_factor(logits, accuracy))
    )
    return answer_curve(scores, confidence, wished_accuracy)
