"""What is measured without labels: the structure of the data, and its relation to class features."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from pouf_core.validation.criteria import failed_data_checks, unrelated_classes
from pouf_core.validation.measurements import (
    Structure,
    measure_relation,
    measure_structure,
    neighbour_mean,
)
from pouf_core.validation.thresholds import Thresholds


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


def is_clear(structure: Structure) -> bool:
    """Whether the data are clear enough for head tuning over pictures."""
    return not failed_data_checks(structure, Thresholds("image", "head"))


def test_groups_that_are_classes_agree_as_well_as_views_do() -> None:
    features, group = clusters(40, 2)
    structure = measure_structure(views(confident(group, 2)), features)
    assert structure.ratio == pytest.approx(1, abs=1e-6)
    assert is_clear(structure)
    assert (structure.item_count, structure.class_count) == (40, 2)


def test_predictions_that_ignore_the_groups_leave_no_agreement() -> None:
    features, _ = clusters(600, 3)
    unrelated = torch.randint(0, 3, (600,), generator=torch.Generator().manual_seed(1))
    structure = measure_structure(views(confident(unrelated, 3)), features)
    assert abs(structure.ratio) < 0.15
    assert not is_clear(structure)


def test_the_figures_are_agreements_above_chance() -> None:
    features, group = clusters(24, 3, spread=0.3)
    generator = torch.Generator().manual_seed(2)
    plain = (confident(group, 3).log() + torch.randn(24, 3, generator=generator)).softmax(dim=1)
    other = (plain.log() + torch.randn(24, 3, generator=generator)).softmax(dim=1)
    structure = measure_structure(views(plain, other), features)
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
    unsure = measure_structure(views(confident(group, 2, certainty=0.6)), features)
    assert unsure.view_agreement < 0.1
    assert unsure.ratio == pytest.approx(1, abs=1e-6)


def test_a_class_that_is_never_predicted_changes_nothing() -> None:
    features, group = clusters(40, 2)
    two = measure_structure(views(confident(group, 2)), features)
    three = measure_structure(views(torch.cat([confident(group, 2), torch.zeros(40, 1)], dim=1)), features)
    assert three.ratio == pytest.approx(two.ratio)
    assert three.view_agreement == pytest.approx(two.view_agreement)
    assert three.class_count == 3


def test_one_item_has_no_neighbours_and_no_structure() -> None:
    structure = measure_structure(views(torch.tensor([[0.7, 0.3]])), torch.tensor([[1.0, 0.0]]))
    assert (structure.neighbour_agreement, structure.ratio) == (0, 0)
    assert not is_clear(structure)


def test_views_that_contradict_each_other_are_no_measure_of_neighbours() -> None:
    features, group = clusters(40, 2)
    mostly, rarely = confident(group, 2, certainty=0.95), confident(1 - group, 2, certainty=0.55)
    structure = measure_structure(views(mostly, rarely), features)
    assert structure.view_agreement < 0
    assert structure.ratio == 0
    assert not is_clear(structure)


def test_neighbours_that_agree_by_chance_are_not_clear_where_views_do_not_agree_at_all() -> None:
    features, group = clusters(40, 2)
    plain = confident(group, 2)
    flat = torch.full_like(plain, 0.5)
    flat[0] = torch.tensor([0.49, 0.51])
    structure = measure_structure(views(plain, flat), features)
    assert structure.view_agreement <= 0
    assert structure.neighbour_agreement > structure.view_agreement
    assert not is_clear(structure)


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
    structure = measure_structure(views(probabilities), features)
    for value in (structure.view_agreement, structure.neighbour_agreement, structure.ratio):
        assert math.isfinite(value)
        assert -2 <= value <= 2


@pytest.mark.parametrize("case", ["saturated, one class", "all the same", "uniform"])
def test_data_that_tell_nothing_apart_have_no_clear_structure(case: str) -> None:
    probabilities, count = DEGENERATE[case]
    assert not is_clear(measure_structure(views(probabilities), clusters(count, 1)[0]))


def test_identical_items_are_as_clear_as_their_views() -> None:
    features, group = clusters(20, 2, spread=0.0)
    assert measure_structure(views(confident(group, 2)), features).ratio == pytest.approx(1, abs=1e-6)


GIVEN = Thresholds("embedding", "gaussian")


def turned(vectors: Tensor, seed: int) -> Tensor:
    """Vectors as an encoder would have them that knows nothing of the first."""
    random = torch.randn(vectors.shape[1], vectors.shape[1], generator=torch.Generator().manual_seed(seed))
    rotation: Tensor = torch.linalg.qr(random).Q
    return vectors @ rotation


@pytest.mark.parametrize("class_count", [5, 40])
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_class_features_of_another_encoder_are_told_from_those_of_the_same(class_count: int, offset: float) -> None:
    features, groups = clusters(400, class_count, width=64, spread=0.1)
    centres = torch.stack([features[groups == group].mean(dim=0) for group in range(class_count)])
    items, classes = features + offset, centres + 0.5 * turned(centres, seed=100)
    assert unrelated_classes(measure_relation(items, classes), GIVEN) == []
    for seed in range(10):
        relation = measure_relation(items, turned(classes, seed))
        assert abs(relation.deviations) < 4
    assert unrelated_classes(measure_relation(items, turned(classes, 0)), GIVEN)[0].code == "class_features_unrelated"


def test_the_relation_of_an_unrelated_encoder_has_mean_0_and_variance_1() -> None:
    features, groups = clusters(400, 40, width=64, spread=0.1)
    centres = torch.stack([features[groups == group].mean(dim=0) for group in range(40)])
    found = torch.tensor([measure_relation(features, turned(centres, seed)).deviations for seed in range(200)])
    assert found.mean().item() == pytest.approx(0, abs=0.3)
    assert found.std().item() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize(("items", "classes"), [(1, 8), (2, 8), (50, 2)])
def test_too_few_items_or_classes_say_nothing_of_their_relation(items: int, classes: int) -> None:
    vectors = torch.randn(items + classes, 32, generator=torch.Generator().manual_seed(0))
    assert unrelated_classes(measure_relation(vectors[:items], vectors[items:]), GIVEN) == []


def test_items_that_are_all_alike_have_no_relation_to_classes() -> None:
    relation = measure_relation(torch.ones(20, 8), torch.eye(8))
    assert relation.deviations == math.inf
