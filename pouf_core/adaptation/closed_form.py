"""Closed forms: fit each that is asked for, and keep the one that the evidence speaks for most."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pouf_core.adaptation.batch_calibration import calibrate_label_words
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome, Predicted
from pouf_core.adaptation.resolving import runtime_of
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.closed_forms.candidates import ClosedForms
from pouf_core.closed_forms.confidence import with_confidence
from pouf_core.closed_forms.target import target_of
from pouf_core.contract.closed_forms import CLOSED_FORM_TUNES, CandidateEstimate, ClosedFormTune
from pouf_core.contract.method import ResolvedClosedForm
from pouf_core.contract.request import CheckedRequest
from pouf_core.contract.tune_modes import Tune
from pouf_core.scoring import Classifier, LinearClassifier, class_indices, logit_pieces
from pouf_core.validation.evidence import Witness
from pouf_core.validation.gain import estimate_gain, gain_row, passed_over, preference

MOST_FITTED_ITEMS = 20_000  # a random sample: items are in order of content hash


@dataclass(frozen=True)
class _Tried:
    estimate: CandidateEstimate
    classifier: LinearClassifier


def fit_closed_form(inputs: RunInputs, zero_shot: ZeroShot, device: torch.device, threads: int, count: int) -> Outcome:
    """Fit the closed forms of the request's tune mode, and keep the best by the estimated gains.

    Args:
        inputs: the data and the request.
        zero_shot: the base model's own classifier.
        device: where the request runs.
        threads: CPU threads in use.
        count: how many items, the first ones, are to be predicted.
    """
    if inputs.request.base.kind == "language":
        return calibrate_label_words(inputs, zero_shot, device, threads, count)
    tried = _try(inputs, zero_shot)
    best = tried[0] if tried else None
    method = ResolvedClosedForm(
        tune=best.estimate.settings.tune if best else "none",
        settings=best.estimate.settings if best else None,
        candidates=[one.estimate for one in tried],
        item_count=min(len(inputs.items), MOST_FITTED_ITEMS),
        **runtime_of(inputs.request.method, device, threads),
    )
    classifier: Classifier = best.classifier if best else zero_shot.classifier
    predicted = Predicted.of(logit_pieces(classifier, zero_shot.features[:count]), zero_shot.judged_count)
    gain = best.estimate.estimated_gain if best else None
    similarity = zero_shot.similarity(classifier)
    return Outcome(method, classifier, predicted, 0, estimated_gain=gain, similarity=similarity)


def may_train_instead(request: CheckedRequest) -> bool:
    """Whether tune `auto` may go on to POUF: for the encoders whose checks of training were measured."""
    return request.method.tune == "auto" and request.base.checks_of_training_hold


def _try(inputs: RunInputs, zero_shot: ZeroShot) -> list[_Tried]:
    """Every closed form asked for, the best by its estimated gain first; none for a single item."""
    features = zero_shot.features[:MOST_FITTED_ITEMS]
    if len(features) < 2:
        return []
    target = target_of(features, zero_shot.classifier.prototypes)
    forms, witness, row = ClosedForms(target), Witness(target), gain_row(inputs.request.base)
    settings = list(forms.settings(_tunes(inputs.request.method.tune)))
    tried, count = [], len(inputs.items)
    follows = may_train_instead(inputs.request) or inputs.request.quality == "best"
    for done, one in enumerate(settings):
        # No stage may go back: as long as training may follow, for which other views are encoded, it has not begun.
        inputs.reporter.stage(*(("encoding", count, count) if follows else ("training", done, len(settings))))
        classifier = forms.fit(one)
        evidence = witness.evidence(class_indices(classifier, features))
        estimate = CandidateEstimate(
            settings=one, changed=evidence.changed, estimated_gain=estimate_gain(evidence, row, one)
        )
        tried.append(_Tried(estimate, classifier))
    tried = _best_first(tried)
    best = tried[0]
    accuracy = witness.certainty + best.estimate.estimated_gain.points / 100
    return [replace(best, classifier=with_confidence(best.classifier, features, accuracy)), *tried[1:]]


def _best_first(tried: list[_Tried]) -> list[_Tried]:
    out = passed_over([one.estimate.settings for one in tried], [one.estimate.changed for one in tried])
    told = [
        replace(one, estimate=one.estimate.model_copy(update={"passed_over": is_out}))
        for one, is_out in zip(tried, out, strict=True)
    ]
    return sorted(
        told,
        key=lambda one: (not one.estimate.passed_over, preference(one.estimate.estimated_gain)),
        reverse=True,
    )


def _tunes(tune: Tune) -> frozenset[ClosedFormTune]:
    return frozenset(name for name in CLOSED_FORM_TUNES if tune in (name, "auto"))
