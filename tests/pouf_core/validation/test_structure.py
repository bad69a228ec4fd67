"""What the data says about itself: structure, read from zero-shot predictions and features."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from pouf_core.validation.limits import PICTURES, TEXTS
from pouf_core.validation.neighbours import neighbour_mean
from pouf_core.validation.structure import Structure, read_structure


def clusters(count: int, groups: int, width: int = 16, spread: float = 0.01) -> tuple[Tensor, Tensor]:
    """Features in tight groups, and the group of each."""
    generator = torch.Generator().manual_seed(0)
    centres = normalize(torch.randn(groups, width, generator=generator), dim=1)
    group = torch.arange(count) % groups
    noise = spread * torch.randn(count, width, generator=generator)
    return normalize(centres[group] + noise, dim=1), group


def confident(classes: Tensor, class_count: int, certainty: float = 0.9) -> Tensor:
    rest = (1 - certainty) / (class_count - 1)
    return one_hot(classes, class_count) * (certainty - rest) + rest


def views(probabilities: Tensor, other: Tensor | None = None) -> Tensor:
    return torch.stack([probabilities, probabilities if other is None else other])


def test_groups_that_are_classes_agree_as_well_as_views_do() -> None:
    features, group = clusters(40, 2)
    structure = read_structure(views(confident(group, 2)), features)
    assert structure.ratio == pytest.approx(1, abs=1e-6)
    assert structure.is_clear("head")
    assert (structure.item_count, structure.class_count) == (40, 2)


def test_predictions_that_ignore_the_groups_leave_no_agreement() -> None:
    features, _ = clusters(600, 3)
    unrelated = torch.randint(0, 3, (600,), generator=torch.Generator().manual_seed(1))
    structure = read_structure(views(confident(unrelated, 3)), features)
    assert abs(structure.ratio) < 0.15
    assert not structure.is_clear("head")


def test_the_figures_are_agreements_above_chance() -> None:
    features, group = clusters(24, 3, spread=0.3)
    generator = torch.Generator().manual_seed(2)
    plain = (confident(group, 3).log() + torch.randn(24, 3, generator=generator)).softmax(dim=1)
    other = (plain.log() + torch.randn(24, 3, generator=generator)).softmax(dim=1)
    structure = read_structure(views(plain, other), features)
    chance = sum(float(plain[:, k].mean()) ** 2 for k in range(3))
    around = neighbour_mean(features, (plain + other) / 2)
    between_views = sum(float(plain[i] @ other[i]) for i in range(24)) / 24
    between_neighbours = sum(float(plain[i] @ around[i]) for i in range(24)) / 24
    assert structure.view_agreement == pytest.approx((between_views - chance) / (1 - chance), abs=1e-5)
    assert structure.neighbour_agreement == pytest.approx((between_neighbours - chance) / (1 - chance), abs=1e-5)
    assert structure.ratio == pytest.approx(structure.neighbour_agreement / structure.view_agreement, abs=1e-5)
    assert 0 < structure.neighbour_agreement < 1


def test_unsure_predictions_are_measured_by_how_sure_views_make_them() -> None:
    features, group = clusters(40, 2)
    unsure = read_structure(views(confident(group, 2, certainty=0.6)), features)
    assert unsure.view_agreement < 0.1
    assert unsure.ratio == pytest.approx(1, abs=1e-6)


def test_a_class_that_is_never_predicted_changes_nothing() -> None:
    features, group = clusters(40, 2)
    two = read_structure(views(confident(group, 2)), features)
    three = read_structure(views(torch.cat([confident(group, 2), torch.zeros(40, 1)], dim=1)), features)
    assert three.ratio == pytest.approx(two.ratio)
    assert three.view_agreement == pytest.approx(two.view_agreement)
    assert three.class_count == 3


def test_one_item_has_no_neighbours_and_no_structure() -> None:
    structure = read_structure(views(torch.tensor([[0.7, 0.3]])), torch.tensor([[1.0, 0.0]]))
    assert (structure.neighbour_agreement, structure.ratio) == (0, 0)
    assert not structure.is_clear("head")
    assert not structure.enough_items


def test_views_that_contradict_each_other_are_no_measure_of_neighbours() -> None:
    features, group = clusters(40, 2)
    mostly, rarely = confident(group, 2, certainty=0.95), confident(1 - group, 2, certainty=0.55)
    structure = read_structure(views(mostly, rarely), features)
    assert structure.view_agreement < 0
    assert structure.ratio == 0
    assert not structure.is_clear("head")


def test_neighbours_that_agree_by_chance_are_not_clear_where_views_do_not_agree_at_all() -> None:
    features, group = clusters(40, 2)
    plain = confident(group, 2)
    flat = torch.full_like(plain, 0.5)
    flat[0] = torch.tensor([0.49, 0.51])
    structure = read_structure(views(plain, flat), features)
    assert structure.view_agreement <= 0
    assert structure.neighbour_agreement > structure.view_agreement
    assert not structure.is_clear("head")


DEGENERATE = {
    "one item": (torch.tensor([[0.7, 0.3]]), 1),
    "two items": (torch.tensor([[0.7, 0.3], [0.2, 0.8]]), 2),
    "saturated, one class": (torch.tensor([[1.0, 0.0]]).expand(9, 2), 9),
    "saturated, two classes": (one_hot(torch.arange(9) % 2, 2).float(), 9),
    "all the same": (torch.tensor([[0.5, 0.3, 0.2]]).expand(9, 3), 9),
    "uniform": (torch.full((9, 3), 1 / 3), 9),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("same_features", [True, False])
def test_figures_are_finite_and_in_range_for_degenerate_data(case: str, same_features: bool) -> None:
    probabilities, count = DEGENERATE[case]
    features = clusters(count, 1 if same_features else count, spread=0.0)[0]
    structure = read_structure(views(probabilities), features)
    for value in (structure.view_agreement, structure.neighbour_agreement, structure.ratio):
        assert math.isfinite(value)
        assert -2 <= value <= 2


@pytest.mark.parametrize("case", ["saturated, one class", "all the same", "uniform"])
def test_data_that_tell_nothing_apart_have_no_clear_structure(case: str) -> None:
    probabilities, count = DEGENERATE[case]
    assert not read_structure(views(probabilities), clusters(count, 1)[0]).is_clear("head")


def test_identical_items_are_as_clear_as_their_views() -> None:
    features, group = clusters(20, 2, spread=0.0)
    assert read_structure(views(confident(group, 2)), features).ratio == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "clear"), [(PICTURES.structure, True), (PICTURES.structure - 1e-6, False), (1.2, True)]
)
def test_structure_is_clear_from_the_limit_on(ratio: float, clear: bool) -> None:
    assert Structure(0.9, 0.9 * ratio, ratio, 100, 3).is_clear("head") is clear


def test_prompts_over_texts_need_less_structure_than_encoders_do() -> None:
    between = Structure(0.2, 0.1, 0.5, 100, 2, TEXTS)
    assert between.is_clear("prompt")
    assert not between.is_clear("norm")
    assert not between.is_clear("head")
    assert replace(between, ratio=0.6).is_clear("head")
    assert not Structure(0.2, 0.1, 0.5, 100, 2, PICTURES).is_clear("prompt")
    assert not Structure(0.2, 0.02, 0.1, 100, 2, TEXTS).is_clear("prompt")


@pytest.mark.parametrize(("items", "classes", "enough"), [(12, 3, True), (11, 3, False), (8, 2, True), (7, 2, False)])
def test_four_items_a_class_are_enough(items: int, classes: int, enough: bool) -> None:
    assert Structure(0.9, 0.9, 1.0, items, classes).enough_items is enough
