"""The verdict on what a method left."""

from __future__ import annotations

from dataclasses import replace

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.presets import fallback_rule
from pouf_core.validation.criteria import unrelated_classes
from pouf_core.validation.gain import estimate_gain, gain_row
from pouf_core.validation.measurements import given_prior, measure_change
from pouf_core.validation.thresholds import Thresholds
from pouf_core.validation.verdict import ReasonedVerdict, verdict_on, verdict_on_estimate, warnings_of


def with_estimated_gain(inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome) -> Outcome:
    """What was trained with its gain over zero-shot estimated, for base models that are judged by it.

    Args:
        inputs: the data and the request.
        zero_shot: the base model's own classifier.
        outcome: of any method.
    """
    base, count, method = inputs.request.base, zero_shot.judged_count, outcome.method
    trained = method.type == "pouf" and outcome.selected_step > 0 and outcome.estimated_gain is None
    if not base.judged_by_gain or not trained or count < 2:
        return outcome
    evidence = zero_shot.witness.evidence(outcome.predicted.logits.argmax(dim=1))
    return replace(outcome, estimated_gain=estimate_gain(evidence, gain_row(base)))


def judge(inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome) -> ReasonedVerdict:
    """The verdict on the classifier; what a person should look at besides becomes warnings."""
    request = inputs.request
    thresholds = Thresholds(request.base.kind, outcome.method.tune)
    verdict = _verdict(inputs, zero_shot, outcome, thresholds)
    features_given = request.base.kind == "embedding"  # a base model's own towers belong together
    unrelated = unrelated_classes(zero_shot.relation, thresholds) if features_given else []
    if unrelated and outcome.method.type != "zero-shot" and verdict.served == "adapted":
        # the items may form clear groups, and yet nothing tells the names of these
        verdict = replace(verdict, verdict="uncertain", reasons=unrelated, fallback="zero_shot")
    if fallback_rule(request.method) == "never":
        verdict = replace(verdict, fallback=None)
    warnings = unrelated + warnings_of(verdict, request.classes, zero_shot.classifier.prototypes, thresholds)
    for warning in warnings:
        inputs.reporter.warn("evaluating", warning)
    return verdict


def _verdict(inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome, thresholds: Thresholds) -> ReasonedVerdict:
    """By the estimated gain, or else by checks, which look at the items in two views."""
    method, adapted = outcome.method, outcome.predicted.logits.softmax(dim=1)
    prior = given_prior(method)
    if method.type == "closed-form" or outcome.estimated_gain is not None:
        change = measure_change(zero_shot.probabilities[None], adapted, prior)
        return verdict_on_estimate(zero_shot.size, change, outcome.estimated_gain)
    change = measure_change(zero_shot.views, adapted, prior)
    names = [item.name for item in inputs.request.classes]
    return verdict_on(method, outcome.selected_step, zero_shot.structure, change, names, thresholds)
