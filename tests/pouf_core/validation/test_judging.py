"""Warnings of a finished adaptation: each code, at and beside its limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pouf_core.contract.classes import parse_class_names
from pouf_core.validation.change import Change
from pouf_core.validation.judgement import Judgement
from pouf_core.validation.judging import FLIP_RATE_WARNING, MARGINAL_SHIFT_WARNING, OVERCONFIDENCE_WARNING, warnings_of
from pouf_core.validation.structure import Structure

CLASSES = parse_class_names(["cat", "dog", "fox", "hen"])
APART = torch.eye(4)
STRUCTURE = Structure(0.9, 0.8, 0.9, 100, 4)
QUIET = Change(10, flip_rate=0.1, overruled_confidence=0.05, marginal_shift=0.1, confidence_gain=0.1, vanished=[])


def codes(change: Change = QUIET, structure: Structure = STRUCTURE, prototypes: torch.Tensor = APART) -> list[str]:
    judgement = Judgement("improved", [], None, structure, change)
    found = warnings_of(judgement, CLASSES, prototypes)
    assert all(warning["message"] for warning in found)
    return [warning["code"] for warning in found]


def test_nothing_to_warn_of() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (replace(QUIET, flip_rate=FLIP_RATE_WARNING), []),
        (replace(QUIET, flip_rate=FLIP_RATE_WARNING + 1e-9), ["high_flip_rate"]),
        (replace(QUIET, marginal_shift=MARGINAL_SHIFT_WARNING), []),
        (replace(QUIET, marginal_shift=MARGINAL_SHIFT_WARNING + 1e-9), ["marginal_shifted"]),
        (replace(QUIET, confidence_gain=OVERCONFIDENCE_WARNING), []),
        (replace(QUIET, confidence_gain=OVERCONFIDENCE_WARNING + 1e-9), ["overconfidence"]),
        (replace(QUIET, vanished=[1]), ["vanished_classes"]),
    ],
)
def test_changes_are_warned_of_from_their_limits_on(change: Change, expected: list[str]) -> None:
    assert codes(change) == expected


@pytest.mark.parametrize(("items", "expected"), [(16, []), (15, ["too_few_items"])])
def test_few_items_are_warned_of(items: int, expected: list[str]) -> None:
    assert codes(structure=replace(STRUCTURE, item_count=items)) == expected


def test_near_duplicate_class_names_are_warned_of_pair_by_pair() -> None:
    prototypes = APART.clone()
    prototypes[2] = prototypes[0]
    judgement = Judgement("improved", [], None, STRUCTURE, QUIET)
    [warning] = warnings_of(judgement, CLASSES, prototypes)
    assert warning["code"] == "near_duplicate_class_names"
    assert "'cat'" in warning["message"]
    assert "'fox'" in warning["message"]


def test_vanished_classes_are_named() -> None:
    judgement = Judgement("harmful", [], "zero_shot", STRUCTURE, replace(QUIET, vanished=[1, 3]))
    [warning] = warnings_of(judgement, CLASSES, APART)
    assert "dog, hen" in warning["message"]


def test_everything_is_said_at_once() -> None:
    change = Change(90, 0.9, 0.5, 2.0, 0.9, [0])
    expected = ["too_few_items", "vanished_classes", "high_flip_rate", "marginal_shifted", "overconfidence"]
    assert codes(change, replace(STRUCTURE, item_count=3)) == expected
