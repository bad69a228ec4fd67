"""The verdict on a finished adaptation, and its warnings."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.request import Request
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.classes import ClassName
from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.method import ResolvedBaseline, ResolvedMethod
from pouf_core.validation.change import read_change
from pouf_core.validation.judgement import Judgement, judge, judge_baseline, judge_kept_zero_shot
from pouf_core.validation.near_duplicates import near_duplicates
from pouf_core.validation.structure import too_few_items

FLIP_RATE_WARNING = 0.3
MARGINAL_SHIFT_WARNING = 0.25  # nats
OVERCONFIDENCE_WARNING = 0.35


def judge_outcome(request: Request, zero_shot: ZeroShot, outcome: Outcome) -> Judgement:
    """Compare a finished classifier with the base model's own."""
    names = [item.name for item in request.classes]
    method = outcome.method
    prior = given_prior(method)
    change = read_change(zero_shot.views, outcome.logits[: zero_shot.judged_count].softmax(dim=1), prior)
    if method.type != "pouf":
        return judge_baseline(zero_shot.structure, change, names, prior_source=method.class_prior_source)
    if outcome.selected_step == 0:
        return judge_kept_zero_shot(zero_shot.structure, change, method.tune, method.max_steps)
    return judge(zero_shot.structure, change, names, method.tune)


def given_prior(method: ResolvedMethod | ResolvedBaseline) -> list[float] | None:
    """The class shares that the caller knows, or None."""
    return method.class_prior if method.class_prior_source == "given" else None


def warnings_of(judgement: Judgement, classes: Sequence[ClassName], prototypes: Tensor) -> list[Finding]:
    """What a person should look at, whatever the verdict."""
    structure, change = judgement.structure, judgement.change
    found = []
    if not structure.enough_items:
        found.append(too_few_items(structure))
    if change.vanished:
        names = ", ".join(classes[index].name for index in change.vanished)
        found.append(finding("vanished_classes", f"The adapted model as good as never predicts: {names}."))
    if change.flip_rate > FLIP_RATE_WARNING:
        message = f"Adaptation changes the class of {change.flip_rate:.0%} of the items."
        found.append(finding("high_flip_rate", message))
    if change.marginal_shift > MARGINAL_SHIFT_WARNING:
        message = f"The shares of the classes are {change.marginal_shift:.2f} nats from the expected ones."
        found.append(finding("marginal_shifted", message))
    if change.confidence_gain > OVERCONFIDENCE_WARNING:
        message = f"Mean confidence rises by {change.confidence_gain:.2f}; scores of the adapted model run high."
        found.append(finding("overconfidence", message))
    for first, second in near_duplicates(classes, prototypes):
        message = f"To the base model, class names {first!r} and {second!r} mean nearly the same."
        found.append(finding("near_duplicate_class_names", message))
    return found
