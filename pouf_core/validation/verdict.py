"""The verdict on a finished adaptation, reached without labels: from failed checks to reasons and what is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue
from torch import Tensor

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.classes import ClassName
from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.method import PriorSource, Resolved
from pouf_core.contract.result import Fallback, Verdict
from pouf_core.validation.criteria import (
    VERSIONS,
    failed_change_checks,
    failed_data_checks,
    insufficient_data,
    warnings_about,
)
from pouf_core.validation.gain import is_served
from pouf_core.validation.measurements import Change, Size, Structure
from pouf_core.validation.near_duplicates import near_duplicates
from pouf_core.validation.thresholds import Thresholds


@dataclass(frozen=True)
class ReasonedVerdict:
    """A verdict with its reasons, what to serve instead, and the figures behind it: the data's structure where it was
    measured, else its size alone."""

    verdict: Verdict
    reasons: list[Finding]
    fallback: Fallback | None
    data: Size
    change: Change

    @property
    def served(self) -> VariantName:
        """The variant that answers unless another is asked for."""
        return self.fallback or "adapted"

    def figures(self) -> dict[str, JsonValue]:
        """The figures by name, as plain JSON values."""
        return asdict(self.data) | asdict(self.change)


def verdict_on(
    method: Resolved,
    selected_step: int,
    structure: Structure,
    change: Change,
    class_names: Sequence[str],
    thresholds: Thresholds,
) -> ReasonedVerdict:
    """The verdict on a result that the checks judge.

    Args:
        method: the resolved method.
        selected_step: the step whose weights were kept; 0 is the base model as it is.
        structure: of the data.
        change: of the predictions for them.
        class_names: K names.
        thresholds: those for the base model's kind and the method's mode.
    """
    if method.type != "pouf":
        source = method.class_prior_source
        return verdict_on_baseline(structure, change, class_names, thresholds, prior_source=source)
    if selected_step == 0:
        return verdict_on_kept_zero_shot(structure, change, thresholds, steps=method.max_steps)
    return verdict_on_trained(structure, change, class_names, thresholds)


def verdict_on_trained(
    structure: Structure, change: Change, class_names: Sequence[str], thresholds: Thresholds
) -> ReasonedVerdict:
    """The verdict on a trained model.

    `harmful`, which serves zero-shot by default, where a check of the data or of the change fails; `uncertain` where
    nothing changed or there are too few items to tell; otherwise `improved`.
    """
    if change.changed_count == 0:
        reason = finding("nothing_changed", "The adapted model gives every item the base model's class.")
        return ReasonedVerdict("uncertain", [reason], None, structure, change)
    failed = failed_data_checks(structure, thresholds) + failed_change_checks(change, class_names, thresholds)
    if failed:
        return ReasonedVerdict("harmful", failed, "zero_shot", structure, change)
    insufficient = insufficient_data(structure, thresholds)
    if insufficient:
        return ReasonedVerdict("uncertain", insufficient, None, structure, change)
    message = (
        f"Neighbouring items get the same class {structure.ratio:.0%} as reliably as {VERSIONS} do, and adaptation "
        f"changed the class of {change.flip_rate:.0%} of the items, which the base model was unsure of."
    )
    return ReasonedVerdict("improved", [finding("clear_structure", message)], None, structure, change)


def verdict_on_kept_zero_shot(
    structure: Structure, change: Change, thresholds: Thresholds, *, steps: int
) -> ReasonedVerdict:
    """The verdict where the base model was kept as it is, though `steps` of training were asked for."""
    if steps == 0:
        reasons = [finding("no_steps", "No training was asked for.")]
    elif failed := failed_data_checks(structure, thresholds):
        untrained = ' Nothing was trained; "selection": "last" trains all the same.'
        reasons = [finding(check.code, check.message + untrained) for check in failed]
    else:
        reasons = [finding("no_step_trusted", "Every step of training failed a check.")]
    return ReasonedVerdict("uncertain", reasons, None, structure, change)


def verdict_on_baseline(
    structure: Structure,
    change: Change,
    class_names: Sequence[str],
    thresholds: Thresholds,
    *,
    prior_source: PriorSource,
) -> ReasonedVerdict:
    """The verdict on a method that trains nothing: never `improved`, since only its prior could tell.

    A prior that the caller knows fails no check, however many predictions it changes. Re-weighting to one that was only
    estimated is not trusted: see `docs/trust.md`.
    """
    reasons = [] if prior_source == "given" else failed_change_checks(change, class_names, thresholds)
    if prior_source == "estimated" and change.changed_count:
        message = (
            "How large each class is was estimated, and re-weighting to an estimate lowers accuracy far more often "
            'than it raises it. Give the shares as "class_prior", or "uniform" where classes are known to be balanced.'
        )
        reasons.append(finding("prior_only_estimated", message))
    if reasons:
        return ReasonedVerdict("harmful", reasons, "zero_shot", structure, change)
    message = f"A method without training; it changes {change.flip_rate:.0%} of the base model's predictions."
    return ReasonedVerdict("uncertain", [finding("not_trained", message)], None, structure, change)


def verdict_on_estimate(size: Size, change: Change, gain: EstimatedGain | None) -> ReasonedVerdict:
    """The verdict on a closed form, or on what was trained of an encoder that the checks were not measured on: by the
    interval of its estimated gain alone.

    `improved` where all of it lies above zero; `harmful` where all of it lies below; else `uncertain`. It is served
    where a gain is expected and more than a small loss is unlikely, see `is_served`.
    """
    if gain is None and size.item_count > 1:
        message = (
            f"It changes {change.flip_rate:.0%} of the predictions by one shift of the classes' scores, which is right "
            "where classes are about equal in size, and no evidence without labels tells whether they are. Zero-shot "
            'is served; "fallback": "never" serves the shifted scores.'
        )
        return ReasonedVerdict("uncertain", [finding("gain_not_estimated", message)], "zero_shot", size, change)
    if gain is None:
        reason = finding("too_few_items", "One item has nothing to be compared with; at least 2 are needed.")
        return ReasonedVerdict("uncertain", [reason], "zero_shot", size, change)
    if change.changed_count == 0:
        reason = finding("nothing_changed", "The adapted model gives every item the base model's class.")
        return ReasonedVerdict("uncertain", [reason], None, size, change)
    interval = f"{gain.points:+.1f} points of accuracy (90 % interval {gain.low:+.1f} to {gain.high:+.1f})"
    if is_served(gain):
        if gain.low > 0:
            reason = finding("estimated_gain", f"Without labels the gain over zero-shot is estimated at {interval}.")
            return ReasonedVerdict("improved", [reason], None, size, change)
        message = f"A gain is likely, not sure: {interval} are estimated without labels, so it is served."
        return ReasonedVerdict("uncertain", [finding("gain_likely", message)], None, size, change)
    message = f"A gain is not likely enough: at best {interval} are estimated without labels."
    verdict: Verdict = "harmful" if gain.high < 0 else "uncertain"
    return ReasonedVerdict(verdict, [finding("gain_not_sure", message)], "zero_shot", size, change)


def warnings_of(
    verdict: ReasonedVerdict, classes: Sequence[ClassName], prototypes: Tensor, thresholds: Thresholds
) -> list[Finding]:
    """What a person should look at, whatever the verdict.

    Args:
        verdict: with the figures that it rests on.
        classes: K classes.
        prototypes: [K, d] unit-length zero-shot text prototypes.
        thresholds: as for `verdict_on`.
    """
    found = warnings_about(verdict.data, verdict.change, [item.name for item in classes], thresholds)
    pairs = near_duplicates(classes, prototypes, thresholds)
    if pairs:
        named = "; ".join(f"{first!r} and {second!r}" for first, second in pairs)
        message = f"To the base model, these class names mean nearly the same: {named}."
        found.append(finding("near_duplicate_class_names", message))
    return found
