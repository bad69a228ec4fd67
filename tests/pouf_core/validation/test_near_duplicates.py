"""Class names that a base model can hardly tell apart."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.contract.classes import parse_class_names
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.validation.near_duplicates import near_duplicates
from pouf_core.validation.thresholds import Thresholds

EXAMPLES = Path(__file__).parents[3] / "examples"
THRESHOLDS = Thresholds("image", "prompt")
EMOJI_TASKS = json.loads((EXAMPLES / "emoji" / "tasks.json").read_text())


def found(names: list[str], prototypes: Tensor) -> list[tuple[str, str]]:
    return near_duplicates(parse_class_names(names), prototypes, THRESHOLDS)


def at_angles(*degrees: float) -> Tensor:
    return torch.tensor([[math.cos(math.radians(angle)), math.sin(math.radians(angle))] for angle in degrees])


def by_base_model(model: ClipLikeModel, names: list[str]) -> list[tuple[str, str]]:
    prompts = build_prompts(parse_class_names(names), ["a photo of a {}."], model.tokenizer)
    with torch.no_grad():
        return found(names, model.prototypes(prompts))


def clipart_names() -> list[str]:
    with (EXAMPLES / "clipart" / "labels.csv").open(newline="") as file:
        return sorted({row["label"] for row in csv.DictReader(file)})


@pytest.mark.parametrize("second", ["cats", "CATS", "c-a-t", "c a t"])
def test_spellings_of_one_word_are_found_whatever_the_prototypes(second: str) -> None:
    assert found(["cat", "dog", second], at_angles(0, 90, 180)) == [("cat", second)]


@pytest.mark.parametrize(("first", "second"), [("C", "C++"), ("🙂", "🙁"), ("class 1", "class 2"), ("कि", "का")])
def test_names_that_differ_in_a_mark_are_two_words(first: str, second: str) -> None:
    assert found([first, "dog", second], at_angles(0, 90, 180)) == []


def test_nearly_one_prototype_is_found_by_comparison_with_the_other_classes() -> None:
    names = ["sofa", "dog", "couch", "tree"]
    assert found(names, at_angles(0, 90, 20, 180)) == [("sofa", "couch")]
    assert found(names, at_angles(0, 90, 45, 180)) == []


def test_a_pair_is_close_below_a_share_of_the_median_distance() -> None:
    at = math.degrees(math.acos(1 - 0.15))  # the median of the three distances is 1, that of a right angle
    names = ["sofa", "dog", "couch"]
    assert found(names, at_angles(0, 90, -at + 0.1)) == [("sofa", "couch")]
    assert found(names, at_angles(0, 90, -at - 0.1)) == []


def test_classes_that_are_all_equally_close_are_no_duplicates() -> None:
    assert found(["oak", "elm", "ash"], at_angles(0, 5, 10)) == []


def test_two_classes_are_duplicates_only_by_spelling_or_one_prototype() -> None:
    assert found(["oak", "elm"], at_angles(0, 10)) == []
    assert found(["oak", "Oaks"], at_angles(0, 90)) == [("oak", "Oaks")]
    assert found(["oak", "elm"], at_angles(0, 0.1)) == [("oak", "elm")]
    at = math.degrees(math.acos(1 - 1e-3))
    assert found(["oak", "elm"], at_angles(0, at - 0.02)) == [("oak", "elm")]
    assert found(["oak", "elm"], at_angles(0, at + 0.02)) == []


def test_the_closest_ten_are_listed_closest_first() -> None:
    angles = [angle for number in range(12) for angle in (30 * number, 30 * number + 3 - 0.2 * number)]
    names = [f"{letter}{number}" for number in range(12) for letter in "xy"]
    pairs = found(names, at_angles(*angles))
    assert pairs == [(f"x{number}", f"y{number}") for number in range(11, 1, -1)]


def test_the_wording_counts_and_the_name_is_given() -> None:
    classes = parse_class_names([{"name": "a", "prompt": "cat"}, {"name": "b", "prompt": "cats"}, "dog"])
    assert near_duplicates(classes, at_angles(0, 90, 180), THRESHOLDS) == [("a", "b")]


@pytest.mark.parametrize("task", [*EMOJI_TASKS, "clipart"])
def test_unrelated_names_give_none_with_real_prototypes(pouf_lite: ClipLikeModel, task: str) -> None:
    names = clipart_names() if task == "clipart" else list(EMOJI_TASKS[task])
    assert len(names) >= 3
    assert by_base_model(pouf_lite, names) == []


@pytest.mark.parametrize("pair", [("car", "automobile"), ("box", "boxes"), ("flower", "flowers")])
def test_two_names_for_a_class_are_found_with_real_prototypes(pouf_lite: ClipLikeModel, pair: tuple[str, str]) -> None:
    names = [name for name in clipart_names() if name not in (*pair, "vehicle")]
    assert by_base_model(pouf_lite, [*names, *pair]) == [pair]


def random_prototypes(count: int) -> Tensor:
    return normalize(torch.randn(count, 64, generator=torch.Generator().manual_seed(0)), dim=1)


def test_two_thousand_classes_are_compared_and_more_are_not() -> None:
    names = [f"class {number}" for number in range(2001)]
    prototypes = random_prototypes(2001)
    prototypes[7] = prototypes[1234]
    assert found(names[:2000], prototypes[:2000]) == [("class 7", "class 1234")]
    assert found(names, prototypes) == []
