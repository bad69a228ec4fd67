"""The verdict on an adaptation, told without labels: from the structure of the data and the change of the predictions.

The limits were chosen on emoji styles that the base model's head had not seen: see `docs/trust.md`. Those that are
others for texts are in `pouf_core.validation.limits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.method import PriorSource
from pouf_core.contract.result import Fallback, Verdict
from pouf_core.validation.change import Change, objections
from pouf_core.validation.structure import Structure, doubts, too_few_items


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reasons, what to serve instead, and the figures behind it."""

    verdict: Verdict
    reasons: list[Finding]
    fallback: Fallback | None
    structure: Structure
    change: Change

    def figures(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        figures = asdict(self.structure) | asdict(self.change)
        del figures["limits"]
        return figures


def judge(structure: Structure, change: Change, class_names: Sequence[str], tune: str) -> Judgement:
    """The verdict on a trained model.

    `harmful`, which serves zero-shot by default, where there are doubts about the data or objections to the change;
    `uncertain` where nothing changed or there are too few items to tell; otherwise `improved`.
    """
    if change.changed_count == 0:
        reason = finding("nothing_changed", "The adapted model gives every item the base model's class.")
        return Judgement("uncertain", [reason], None, structure, change)
    reasons = doubts(structure, tune) + objections(change, class_names, structure.limits)
    if reasons:
        return Judgement("harmful", reasons, "zero_shot", structure, change)
    if not structure.enough_items:
        return Judgement("uncertain", [too_few_items(structure)], None, structure, change)
    message = (
        f"Predictions agree between neighbouring items {structure.ratio:.0%} as well as between two views of one item, "
        f"and adaptation changed {change.flip_rate:.0%} of them, which the base model was unsure of."
    )
    return Judgement("improved", [finding("clear_structure", message)], None, structure, change)


def judge_kept_zero_shot(structure: Structure, change: Change, tune: str, steps: int) -> Judgement:
    """The verdict where the base model was kept as it is, though `steps` of training were asked for."""
    if steps == 0:
        reasons = [finding("no_steps", "No training was asked for.")]
    elif doubted := doubts(structure, tune):
        untrained = ' Nothing was trained; "selection": "last" trains all the same.'
        reasons = [finding(doubt.code, doubt.message + untrained) for doubt in doubted]
    else:
        reasons = [finding("no_step_trusted", "Something speaks against every step of training.")]
    return Judgement("uncertain", reasons, None, structure, change)


def judge_baseline(
    structure: Structure, change: Change, class_names: Sequence[str], *, prior_source: PriorSource
) -> Judgement:
    """The verdict on a method that trains nothing: never `improved`, for nothing but its prior tells.

    A prior that the caller knows is not objected to, however many predictions it changes. Re-weighting to one that was
    only estimated is not trusted: see `docs/trust.md`.
    """
    reasons = [] if prior_source == "given" else objections(change, class_names)
    if prior_source == "estimated" and change.changed_count:
        message = (
            "The class prior was estimated, and re-weighting to an estimate lowers accuracy far more often than it "
            'raises it. Give the shares as "class_prior", or "uniform" where classes are known to be balanced.'
        )
        reasons.append(finding("prior_only_estimated", message))
    if reasons:
        return Judgement("harmful", reasons, "zero_shot", structure, change)
    message = f"A method without training; it changes {change.flip_rate:.0%} of the base model's predictions."
    return Judgement("uncertain", [finding("not_trained", message)], None, structure, change)
