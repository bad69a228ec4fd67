"""The table of thresholds: complete, consistent, and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pouf_core.contract.tune_modes import ModelKind
from pouf_core.validation import criteria
from pouf_core.validation.thresholds import KINDS, TABLE, Thresholds, constant, row

ROOT = Path(__file__).parents[3]
TWO_LEVELS = {
    "flip_rate": ("many_flips", 0.5, "high_flip_rate", 0.3),
    "label_share_shift": ("marginal_shift", 0.5, "marginal_shifted", 0.25),
    "collapsed_classes": ("classes_vanished", 0.34, "vanished_classes", 0),
}
ASKED = {
    criterion.row
    for asked in (
        criteria.DATA_CHECKS,
        criteria.CHANGE_CHECKS,
        criteria.DATA_WARNINGS,
        criteria.CHANGE_WARNINGS,
        criteria.RELATION_CHECKS,
    )
    for criterion in asked
}


def test_every_row_has_a_name_of_its_own_a_unit_and_a_source() -> None:
    assert len({each.name for each in TABLE}) == len(TABLE)
    assert all(each.unit and each.source for each in TABLE)


SOURCE = re.compile(r"(?:benchmarks|tests)/[\w./-]+")
HEADING = re.compile(r"(benchmarks/[\w-]+\.md), ((?:'[^']+'(?:, | and )?)+)")


def test_the_files_and_headings_that_are_named_as_sources_exist() -> None:
    named = [path for each in TABLE for path in SOURCE.findall(each.source)]
    assert len(named) >= len(TABLE) // 2
    assert [path for path in named if not (ROOT / path).exists()] == []
    headings = [
        (page, title)
        for each in TABLE
        for page, titles in HEADING.findall(each.source)
        for title in titles.split("'")[1::2]
    ]
    assert len(headings) >= 5
    assert [(page, title) for page, title in headings if f"## {title}\n" not in (ROOT / page).read_text()] == []


def test_every_row_has_limits_or_a_constant_of_rows_with_limits() -> None:
    for each in TABLE:
        assert (each.constant is None) == bool(each.limits)
        assert bool(each.part_of) == (each.constant is not None)
        assert all(row(name).limits for name in each.part_of)


def test_every_row_with_limits_is_asked_by_a_criterion_or_of_class_names() -> None:
    assert {each.name for each in TABLE if each.limits} == ASKED | {"class_name_distance"}


def test_every_code_belongs_to_one_row() -> None:
    owners = {limit.code: each.name for each in TABLE for limit in each.limits.values()}
    assert len(owners) == len({(limit.code, each.name) for each in TABLE for limit in each.limits.values()})
    assert set(owners) == {
        "weak_structure",
        "little_room",
        "too_few_items",
        "class_features_unrelated",
        "overrules_confident_predictions",
        "many_flips",
        "high_flip_rate",
        "marginal_shift",
        "marginal_shifted",
        "one_sided_changes",
        "classes_vanished",
        "vanished_classes",
        "overconfidence",
        "near_duplicate_class_names",
    }


@pytest.mark.parametrize("name", TWO_LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_warning_and_a_failed_check_of_one_measurement_share_a_row(name: str, kind: ModelKind) -> None:
    failed_check, fails_above, warning, warns_above = TWO_LEVELS[name]
    limits = row(name).limits
    assert (limits["failed_check"].code, limits["warning"].code) == (failed_check, warning)
    thresholds = Thresholds(kind, "prompt")
    assert (thresholds.value(name, "failed_check"), thresholds.value(name, "warning")) == (fails_above, warns_above)
    assert warns_above < fails_above


@pytest.mark.parametrize(
    ("name", "crossed", "figure", "crosses"),
    [
        ("structure", "below", 0.72, False),
        ("structure", "below", 0.72 - 1e-9, True),
        ("overruled_confidence", "at_least", 0.22, True),
        ("overruled_confidence", "at_least", 0.22 - 1e-9, False),
        ("flip_rate", "above", 0.5, False),
        ("flip_rate", "above", 0.5 + 1e-9, True),
    ],
)
def test_a_limit_is_crossed_in_the_direction_of_its_row(name: str, crossed: str, figure: float, crosses: bool) -> None:
    assert row(name).crossed == crossed
    crossing = Thresholds("image", "head").crossing(name, "failed_check", figure)
    assert (crossing is not None) is crosses
    assert crossing is None or crossing.code == row(name).limits["failed_check"].code


def test_a_level_that_a_measurement_lacks_yields_nothing() -> None:
    assert Thresholds("image", "prompt").crossing("structure", "warning", -1.0) is None
    assert Thresholds("text", "prompt").crossing("view_agreement", "failed_check", 1.0) is None


def test_constants_and_limits_are_not_mistaken_for_each_other() -> None:
    assert constant("least_changes") == 8
    with pytest.raises(ValueError, match="flip_rate"):
        constant("flip_rate")
    with pytest.raises(KeyError):
        row("no_such_measurement")
