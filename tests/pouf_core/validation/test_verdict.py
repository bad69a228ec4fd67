"""The verdicts with their reasons, what is served, and the warnings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.contract.tune_modes import ModelKind
from pouf_core.validation.measurements import Change, Structure
from pouf_core.validation.thresholds import KINDS, Mode, Thresholds
from pouf_core.validation.verdict import (
    ReasonedVerdict,
    verdict_on_baseline,
    verdict_on_estimate,
    verdict_on_kept_zero_shot,
    verdict_on_trained,
    warnings_of,
)

HEAD, PROMPT = Thresholds("image", "head"), Thresholds("image", "prompt")
UNTRAINED = Thresholds("image", "none")
OTHER_MODES: tuple[Mode, ...] = ("head", "last_n", "norm", "model")
NAMES = ["cat", "dog", "fox", "hen"]
CLEAR = Structure(100, 4, 0.3, 0.27, 0.9)
WEAK = Structure(100, 4, 0.3, 0.1, 0.33)
SURE = Structure(100, 4, 0.5, 0.45, 0.9)
SMALL = replace(CLEAR, item_count=15)
QUIET = Change(10, flip_rate=0.1, overruled_confidence=0.05, marginal_shift=0.1, confidence_gain=0.1, vanished=[])
STILL = Change(0, 0.0, 0.0, 0.0, 0.0, [])
HARMFUL_CHANGES = {
    "overrules_confident_predictions": replace(QUIET, overruled_confidence=0.3),
    "many_flips": replace(QUIET, flip_rate=0.6),
    "marginal_shift": replace(QUIET, marginal_shift=0.8),
    "classes_vanished": replace(QUIET, vanished=[0, 3]),
}
CLASSES = parse_class_names(NAMES)
APART = torch.eye(4)


def codes(verdict: ReasonedVerdict) -> list[str]:
    assert all(reason["message"] for reason in verdict.reasons)
    return [reason["code"] for reason in verdict.reasons]


def test_a_quiet_change_of_clear_data_improves() -> None:
    verdict = verdict_on_trained(CLEAR, QUIET, NAMES, HEAD)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("improved", None, ["clear_structure"])


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
@pytest.mark.parametrize("structure", [CLEAR, SMALL])
def test_a_failed_check_makes_it_harmful_and_serves_zero_shot(code: str, structure: Structure) -> None:
    verdict = verdict_on_trained(structure, HARMFUL_CHANGES[code], NAMES, HEAD)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("harmful", "zero_shot", [code])


def test_training_on_weak_structure_is_harmful_and_that_comes_first() -> None:
    verdict = verdict_on_trained(WEAK, QUIET, NAMES, HEAD)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("harmful", "zero_shot", ["weak_structure"])
    both = verdict_on_trained(WEAK, HARMFUL_CHANGES["many_flips"], NAMES, HEAD)
    assert codes(both) == ["weak_structure", "many_flips"]


def test_the_structure_limit_decides_between_improved_and_harmful() -> None:
    at, below = (replace(CLEAR, ratio=ratio) for ratio in (0.72, 0.72 - 1e-6))
    assert verdict_on_trained(at, QUIET, NAMES, HEAD).verdict == "improved"
    assert verdict_on_trained(below, QUIET, NAMES, HEAD).verdict == "harmful"


def test_prompts_are_not_trusted_where_the_base_model_is_sure_and_other_modes_are() -> None:
    verdict = verdict_on_trained(SURE, QUIET, NAMES, PROMPT)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("harmful", "zero_shot", ["little_room"])
    assert verdict_on_trained(replace(SURE, view_agreement=0.36 - 1e-6), QUIET, NAMES, PROMPT).verdict == "improved"
    for mode in OTHER_MODES:
        assert verdict_on_trained(SURE, QUIET, NAMES, Thresholds("image", mode)).verdict == "improved"


def test_without_steps_no_check_is_reported() -> None:
    assert codes(verdict_on_kept_zero_shot(CLEAR, STILL, PROMPT, steps=0)) == ["no_steps"]


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
def test_a_given_prior_fails_no_check(code: str) -> None:
    verdict = verdict_on_baseline(CLEAR, HARMFUL_CHANGES[code], NAMES, UNTRAINED, prior_source="given")
    assert (verdict.verdict, codes(verdict)) == ("uncertain", ["not_trained"])


def test_few_items_leave_it_uncertain() -> None:
    verdict = verdict_on_trained(SMALL, QUIET, NAMES, HEAD)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("uncertain", None, ["too_few_items"])
    assert verdict_on_trained(replace(SMALL, item_count=16), QUIET, NAMES, HEAD).verdict == "improved"


@pytest.mark.parametrize("structure", [CLEAR, WEAK, SMALL])
def test_a_model_that_changes_no_class_is_uncertain_whatever_the_data(structure: Structure) -> None:
    verdict = verdict_on_trained(structure, STILL, NAMES, HEAD)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("uncertain", None, ["nothing_changed"])


@pytest.mark.parametrize(
    ("structure", "code"), [(CLEAR, "no_step_trusted"), (WEAK, "weak_structure"), (SURE, "little_room")]
)
def test_a_kept_base_model_is_uncertain_and_says_why(structure: Structure, code: str) -> None:
    verdict = verdict_on_kept_zero_shot(structure, STILL, PROMPT, steps=4)
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("uncertain", None, [code])


@pytest.mark.parametrize("structure", [CLEAR, WEAK, SMALL])
@pytest.mark.parametrize("change", [STILL, QUIET])
def test_a_baseline_never_improves(structure: Structure, change: Change) -> None:
    verdict = verdict_on_baseline(structure, change, NAMES, UNTRAINED, prior_source="uniform")
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("uncertain", None, ["not_trained"])


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
def test_a_baseline_may_do_harm(code: str) -> None:
    verdict = verdict_on_baseline(CLEAR, HARMFUL_CHANGES[code], NAMES, UNTRAINED, prior_source="uniform")
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == ("harmful", "zero_shot", [code])


def test_matching_an_estimated_prior_is_not_trusted_unless_it_changes_nothing() -> None:
    verdict = verdict_on_baseline(CLEAR, QUIET, NAMES, UNTRAINED, prior_source="estimated")
    assert (verdict.verdict, verdict.fallback) == ("harmful", "zero_shot")
    assert codes(verdict) == ["prior_only_estimated"]
    assert codes(verdict_on_baseline(CLEAR, STILL, NAMES, UNTRAINED, prior_source="estimated")) == ["not_trained"]


def test_a_verdict_lists_every_figure_it_rests_on() -> None:
    figures = verdict_on_trained(CLEAR, replace(QUIET, vanished=[2]), NAMES, HEAD).figures()
    assert figures["ratio"] == CLEAR.ratio
    assert figures["vanished"] == [2]
    assert list(figures) == [*vars(CLEAR), *vars(QUIET)]


def test_changes_that_only_shift_shares_are_harmful_over_texts_alone() -> None:
    texts, shifted = Thresholds("text", "prompt"), replace(QUIET, one_sidedness=0.7)
    assert codes(verdict_on_trained(CLEAR, shifted, NAMES, texts)) == ["one_sided_changes"]
    assert verdict_on_trained(CLEAR, replace(shifted, one_sidedness=0.5), NAMES, texts).verdict == "improved"
    assert verdict_on_trained(CLEAR, shifted, NAMES, PROMPT).verdict == "improved"
    assert verdict_on_trained(CLEAR, replace(shifted, changed_count=7), NAMES, texts).verdict == "improved"


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_is_judged_alike_for_every_kind_of_base_model(kind: ModelKind) -> None:
    limits = Thresholds(kind, "none")
    shifted = replace(QUIET, one_sidedness=1.0)
    found = verdict_on_baseline(CLEAR, shifted, NAMES, limits, prior_source="uniform")
    assert (found.verdict, codes(found)) == ("uncertain", ["not_trained"])
    for code, change in HARMFUL_CHANGES.items():
        harmful = verdict_on_baseline(CLEAR, change, NAMES, limits, prior_source="uniform")
        assert (harmful.verdict, codes(harmful)) == ("harmful", [code])


def warned(change: Change = QUIET, structure: Structure = SURE, prototypes: torch.Tensor = APART) -> list[str]:
    verdict = ReasonedVerdict("improved", [], None, structure, change)
    found = warnings_of(verdict, CLASSES, prototypes, HEAD)
    assert all(warning["message"] for warning in found)
    return [warning["code"] for warning in found]


def test_quiet_changes_of_clear_data_need_no_warning() -> None:
    assert warned() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (replace(QUIET, flip_rate=0.3), []),
        (replace(QUIET, flip_rate=0.3 + 1e-9), ["high_flip_rate"]),
        (replace(QUIET, marginal_shift=0.25), []),
        (replace(QUIET, marginal_shift=0.25 + 1e-9), ["marginal_shifted"]),
        (replace(QUIET, confidence_gain=0.35), []),
        (replace(QUIET, confidence_gain=0.35 + 1e-9), ["overconfidence"]),
        (replace(QUIET, vanished=[1]), ["vanished_classes"]),
    ],
)
def test_changes_are_warned_of_beyond_their_limits(change: Change, expected: list[str]) -> None:
    assert warned(change) == expected


@pytest.mark.parametrize(("items", "expected"), [(16, []), (15, ["too_few_items"])])
def test_few_items_are_warned_of(items: int, expected: list[str]) -> None:
    assert warned(structure=replace(SURE, item_count=items)) == expected


def test_near_duplicate_class_names_are_named_by_one_warning() -> None:
    prototypes = APART.clone()
    prototypes[2], prototypes[3] = prototypes[0], prototypes[1]
    verdict = ReasonedVerdict("improved", [], None, SURE, QUIET)
    [warning] = warnings_of(verdict, CLASSES, prototypes, HEAD)
    assert warning["code"] == "near_duplicate_class_names"
    assert "'cat' and 'fox'" in warning["message"]
    assert "'dog' and 'hen'" in warning["message"]


def test_collapsed_classes_are_named_by_the_warning() -> None:
    verdict = ReasonedVerdict("harmful", [], "zero_shot", SURE, replace(QUIET, vanished=[1, 3]))
    [warning] = warnings_of(verdict, CLASSES, APART, HEAD)
    assert "'dog', 'hen'" in warning["message"]


def test_every_warning_is_given_at_once() -> None:
    change = Change(90, 0.9, 0.5, 2.0, 0.9, [0])
    expected = ["too_few_items", "vanished_classes", "high_flip_rate", "marginal_shifted", "overconfidence"]
    assert warned(change, replace(SURE, item_count=3)) == expected


@pytest.mark.parametrize(
    ("points", "low", "high", "expected"),
    [
        (5.0, 1.0, 9.0, ("improved", None, ["estimated_gain"])),
        (5.0, -1.5, 9.0, ("uncertain", None, ["gain_likely"])),
        (5.0, -3.0, 9.0, ("uncertain", "zero_shot", ["gain_not_sure"])),
        (-5.0, -9.0, -1.0, ("harmful", "zero_shot", ["gain_not_sure"])),
    ],
)
def test_a_closed_form_is_improved_where_the_interval_is_above_zero_and_served_where_a_loss_is_small(
    points: float, low: float, high: float, expected: tuple[str, str | None, list[str]]
) -> None:
    verdict = verdict_on_estimate(CLEAR, QUIET, EstimatedGain(points=points, low=low, high=high))
    assert (verdict.verdict, verdict.fallback, codes(verdict)) == expected
