"""Which checks fail, and which warnings are given, for what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from pouf_core.contract.findings import Finding
from pouf_core.contract.tune_modes import ModelKind
from pouf_core.prior_matching import matching_bias
from pouf_core.validation import criteria, thresholds
from pouf_core.validation.criteria import (
    Criterion,
    NamedChange,
    failed_change_checks,
    failed_data_checks,
    insufficient_data,
    warnings_about,
)
from pouf_core.validation.measurements import Change, Structure, measure_change
from pouf_core.validation.thresholds import KINDS, Limit, Mode, Row, Thresholds

PICTURES, TEXTS = Thresholds("image", "head"), Thresholds("text", "prompt")
NAMES = ["cat", "dog", "fox", "hen"]
QUIET = Change(10, flip_rate=0.1, overruled_confidence=0.05, marginal_shift=0.1, confidence_gain=0.1, vanished=[])
HARMFUL_CHANGES = {
    "overrules_confident_predictions": replace(QUIET, overruled_confidence=0.3),
    "many_flips": replace(QUIET, flip_rate=0.6),
    "marginal_shift": replace(QUIET, marginal_shift=0.8),
    "classes_vanished": replace(QUIET, vanished=[0, 3]),
}


def failed(change: Change, class_names: Sequence[str] = NAMES) -> list[str]:
    """Codes of the failed checks of a change over pictures."""
    return codes(failed_change_checks(change, class_names, PICTURES))


def codes(findings: list[Finding]) -> list[str]:
    assert all(finding.message for finding in findings)
    return [finding.code for finding in findings]


def structure(
    ratio: float = 0.9, view_agreement: float = 0.3, item_count: int = 100, class_count: int = 4
) -> Structure:
    return Structure(item_count, class_count, view_agreement, ratio * view_agreement, ratio)


@pytest.mark.parametrize(
    ("kind", "mode", "least"),
    [
        ("image", "prompt", 0.72),
        ("image", "prototypes", 0.5),
        ("image", "head", 0.72),
        ("image", "last_n", 0.72),
        ("image", "norm", 0.72),
        ("image", "model", 0.72),
        ("text", "prompt", 0.3),
        ("text", "prototypes", 0.3),
        ("text", "head", 0.55),
        ("text", "last_n", 0.72),
        ("text", "norm", 0.72),
        ("text", "model", 0.72),
        ("language", "prompt", 0.72),
        ("language", "norm", 0.72),
        ("language", "model", 0.72),
    ],
)
def test_structure_is_needed_by_kind_of_base_model_and_tune_mode(kind: ModelKind, mode: Mode, least: float) -> None:
    limits = Thresholds(kind, mode)
    assert failed_data_checks(structure(ratio=least), limits) == []
    assert failed_data_checks(structure(ratio=1.2), limits) == []
    [found] = failed_data_checks(structure(ratio=least - 1e-6), limits)
    assert found.code == "weak_structure"
    assert f"({least:.0%} are needed)" in found.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["prompt", "prototypes", "head", "last_n", "norm", "model"])
def test_only_prompts_over_pictures_need_a_base_model_that_is_unsure(kind: ModelKind, mode: Mode) -> None:
    limits = Thresholds(kind, mode)
    needed = (kind, mode) == ("image", "prompt")
    assert failed_data_checks(structure(view_agreement=0.36 - 1e-9), limits) == []
    assert codes(failed_data_checks(structure(view_agreement=0.36), limits)) == (["little_room"] if needed else [])


def test_of_the_data_the_first_failed_check_is_given() -> None:
    weak_and_sure = structure(ratio=0.2, view_agreement=0.5)
    assert codes(failed_data_checks(weak_and_sure, Thresholds("image", "prompt"))) == ["weak_structure"]


@pytest.mark.parametrize(("items", "classes", "enough"), [(12, 3, True), (11, 3, False), (8, 2, True), (7, 2, False)])
@pytest.mark.parametrize("kind", KINDS)
def test_four_items_a_class_are_enough(kind: ModelKind, items: int, classes: int, enough: bool) -> None:
    found = insufficient_data(structure(item_count=items, class_count=classes), Thresholds(kind, "head"))
    assert codes(found) == ([] if enough else ["too_few_items"])


@pytest.mark.parametrize("code", HARMFUL_CHANGES)
def test_each_failed_check_has_its_code(code: str) -> None:
    assert failed(HARMFUL_CHANGES[code]) == [code]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (replace(QUIET, overruled_confidence=0.22), ["overrules_confident_predictions"]),
        (replace(QUIET, overruled_confidence=0.22 - 1e-9), []),
        (replace(QUIET, overruled_confidence=0.9, changed_count=8), ["overrules_confident_predictions"]),
        (replace(QUIET, overruled_confidence=0.9, changed_count=7), []),  # too few to say something
        (replace(QUIET, flip_rate=0.5), []),
        (replace(QUIET, flip_rate=0.5 + 1e-9), ["many_flips"]),
        (replace(QUIET, marginal_shift=0.5), []),
        (replace(QUIET, marginal_shift=0.5 + 1e-9), ["marginal_shift"]),
        (replace(QUIET, vanished=[1]), []),
        (replace(QUIET, vanished=[1, 2]), ["classes_vanished"]),
        (replace(QUIET, confidence_gain=0.9), []),  # a warning only
    ],
)
def test_checks_of_a_change_fail_beyond_their_limits(kind: ModelKind, change: Change, expected: list[str]) -> None:
    assert codes(failed_change_checks(change, NAMES, Thresholds(kind, "prompt"))) == expected


@pytest.mark.parametrize(("class_count", "vanished", "fails"), [(2, 1, True), (3, 1, False), (3, 2, True)])
def test_a_third_of_the_classes_may_collapse(class_count: int, vanished: int, fails: bool) -> None:
    change = replace(QUIET, vanished=list(range(vanished)))
    assert failed(change, NAMES[:class_count]) == (["classes_vanished"] if fails else [])


def test_of_fifty_classes_seventeen_may_collapse() -> None:
    names = [f"class {number}" for number in range(50)]
    assert failed(replace(QUIET, vanished=list(range(17))), names) == []
    assert failed(replace(QUIET, vanished=list(range(18))), names) == ["classes_vanished"]


def test_collapsed_classes_are_named_by_the_failed_check() -> None:
    [found] = failed_change_checks(replace(QUIET, vanished=[0, 3]), NAMES, PICTURES)
    assert "'cat', 'hen'" in found.message
    names = [f"class {number}" for number in range(1000)]
    [found] = failed_change_checks(replace(QUIET, vanished=list(range(900))), names, PICTURES)
    assert "'class 9' and 890 more" in found.message and len(found.message) < 200


def test_every_failed_check_of_a_change_is_given() -> None:
    change = Change(90, 0.9, 0.5, 2.0, 0.5, [0, 1, 2])
    assert failed(change) == list(HARMFUL_CHANGES)


@pytest.mark.parametrize("kind", ["text", "language"])
@pytest.mark.parametrize("mode", ["prompt", "head", "last_n", "norm", "model"])
def test_over_texts_changes_that_only_shift_shares_fail(kind: ModelKind, mode: Mode) -> None:
    limits = Thresholds(kind, mode)
    assert failed_change_checks(replace(QUIET, one_sidedness=0.68), NAMES, limits) == []
    shifted = replace(QUIET, one_sidedness=0.68 + 1e-9)
    assert codes(failed_change_checks(shifted, NAMES, limits)) == ["one_sided_changes"]
    assert codes(failed_change_checks(replace(shifted, changed_count=8), NAMES, limits)) == ["one_sided_changes"]
    assert failed_change_checks(replace(shifted, changed_count=7), NAMES, limits) == []


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("image", "prompt"),
        ("image", "model"),
        ("image", "none"),
        ("text", "prototypes"),
        ("text", "none"),
        ("language", "none"),
    ],
)
def test_pictures_prototypes_and_methods_without_training_may_shift_shares(kind: ModelKind, mode: Mode) -> None:
    assert failed_change_checks(replace(QUIET, one_sidedness=1.0), NAMES, Thresholds(kind, mode)) == []


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])
def test_between_two_classes_prior_matching_only_ever_shifts_shares_so_that_says_nothing(shares: list[float]) -> None:
    logits = 2 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.6, 0.0])
    bias, _ = matching_bias(logits, torch.tensor(shares, dtype=torch.float64))
    before, after = logits.softmax(dim=1), (logits + bias).softmax(dim=1).float()
    change = measure_change(torch.stack([before, before]), after)
    assert change.changed_count >= 8
    assert change.one_sidedness == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["prompt", "none"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (QUIET, []),
        (replace(QUIET, flip_rate=0.3), []),
        (replace(QUIET, flip_rate=0.3 + 1e-9), ["high_flip_rate"]),
        (replace(QUIET, marginal_shift=0.25), []),
        (replace(QUIET, marginal_shift=0.25 + 1e-9), ["marginal_shifted"]),
        (replace(QUIET, confidence_gain=0.35), []),
        (replace(QUIET, confidence_gain=0.35 + 1e-9), ["overconfidence"]),
        (replace(QUIET, vanished=[1]), ["vanished_classes"]),
    ],
)
def test_warnings_are_given_beyond_their_limits(
    kind: ModelKind, mode: Mode, change: Change, expected: list[str]
) -> None:
    assert codes(warnings_about(structure(), change, NAMES, Thresholds(kind, mode))) == expected


@pytest.mark.parametrize(
    ("change", "warning", "failed_check"),
    [
        (replace(QUIET, flip_rate=0.6), "high_flip_rate", "many_flips"),
        (replace(QUIET, marginal_shift=0.6), "marginal_shifted", "marginal_shift"),
        (replace(QUIET, vanished=[0, 1]), "vanished_classes", "classes_vanished"),
    ],
)
def test_a_measurement_with_two_levels_says_the_same_at_both(change: Change, warning: str, failed_check: str) -> None:
    [warned] = warnings_about(structure(), change, NAMES, PICTURES)
    [check] = failed_change_checks(change, NAMES, PICTURES)
    assert (warned.code, check.code) == (warning, failed_check)
    assert warned.message == check.message


def test_a_rule_is_a_row_and_a_criterion(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(
        name="confidence_loss",
        unit="fall of the mean largest probability",
        crossed="above",
        source="this test",
        limits={"failed_check": Limit("less_confident", {"image": 0.1, ("image", "norm"): None})},
    )
    rule = Criterion[NamedChange](
        "confidence_loss", lambda seen: -seen.change.confidence_gain, lambda seen, value: f"More than {value}."
    )
    monkeypatch.setattr(thresholds, "TABLE", (*thresholds.TABLE, row))
    monkeypatch.setattr(criteria, "CHANGE_CHECKS", (*criteria.CHANGE_CHECKS, rule))
    assert failed(replace(QUIET, confidence_gain=-0.1)) == []
    unsure = replace(QUIET, confidence_gain=-0.2)
    [found] = failed_change_checks(unsure, NAMES, PICTURES)
    assert (found.code, found.message) == ("less_confident", "More than 0.1.")
    assert failed_change_checks(unsure, NAMES, Thresholds("image", "norm")) == []
    assert failed_change_checks(unsure, NAMES, TEXTS) == []


def test_messages_use_no_word_that_only_readers_of_the_method_know():
    data = [one.message(structure(), 0.5) for one in (*criteria.DATA_CHECKS, *criteria.DATA_WARNINGS)]
    seen = NamedChange(QUIET, NAMES)
    change = [one.message(seen, 0.5) for one in (*criteria.CHANGE_CHECKS, *criteria.CHANGE_WARNINGS)]
    opaque = re.compile(r"\bviews?\b|above chance|prototype|class prior|transport|entropy|anchor|marginal")
    assert [message for message in data + change if opaque.search(message)] == []
