"""How far the predictions of an adapted model are from those of its base model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pouf_core.validation.measurements import (
    Change,
    measure_change,
)

STILL = Change(0, 0.0, 0.0, 0.0, 0.0, [])


def test_a_change_is_measured_item_by_item() -> None:
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2, 50, 4, generator=generator).softmax(dim=2)
    adapted = (3 * torch.randn(50, 4, generator=generator)).softmax(dim=1)
    change = measure_change(views, adapted)
    lost, flips = [], 0
    for item in range(50):
        old, new = int(views[0, item].argmax()), int(adapted[item].argmax())
        if old != new:
            flips += 1
            belief = [float(views[0, item, k] + views[1, item, k]) / 2 for k in range(4)]
            lost.append(belief[old] - belief[new])
    before = [float(views[0, :, k].mean()) for k in range(4)]
    after = [float(adapted[:, k].mean()) for k in range(4)]
    assert 0 < flips < 50
    assert (change.changed_count, change.flip_rate) == (flips, pytest.approx(flips / 50))
    assert change.overruled_confidence == pytest.approx(sum(lost) / flips, abs=1e-5)
    divergence = sum(q * math.log(q / p) for p, q in zip(before, after, strict=True))
    assert change.marginal_shift == pytest.approx(divergence, abs=1e-4)
    gain = sum(float(adapted[i].max() - views[0, i].max()) for i in range(50)) / 50
    assert change.confidence_gain == pytest.approx(gain, abs=1e-5)


def test_overruling_an_uncertain_second_view_costs_less() -> None:
    sure, unsure = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.3, 0.7]])
    adapted = torch.tensor([[0.2, 0.8]])
    assert measure_change(torch.stack([sure, sure]), adapted).overruled_confidence == pytest.approx(0.8)
    assert measure_change(torch.stack([sure, unsure]), adapted).overruled_confidence == pytest.approx(0.2)


def test_nothing_changes_where_predictions_stay() -> None:
    views = torch.tensor([[0.6, 0.4], [0.1, 0.9]]).expand(2, 2, 2)
    assert measure_change(views, views[0]) == STILL


def shares(*values: float) -> Tensor:
    return torch.tensor([values]).expand(20, -1)


@pytest.mark.parametrize(
    ("before", "after", "vanished"),
    [
        (shares(0.4, 0.4, 0.2), shares(0.5, 0.481, 0.019), [2]),
        (shares(0.4, 0.4, 0.2), shares(0.5, 0.479, 0.021), []),  # a tenth of its share is left
        (shares(0.45, 0.39, 0.16), shares(0.5, 0.499, 0.001), []),  # below half of 1/K: nobody would notice
        (shares(0.4, 0.43, 0.17), shares(0.5, 0.499, 0.001), [2]),
        (shares(0.3, 0.3, 0.4), shares(0.0, 0.0, 1.0), [0, 1]),
        (shares(0.5, 0.5), shares(1.0, 0.0), [1]),
    ],
)
def test_classes_collapse_when_less_than_a_tenth_of_a_noticeable_share_is_left(
    before: Tensor, after: Tensor, vanished: list[int]
) -> None:
    assert measure_change(torch.stack([before, before]), after).vanished == vanished


@pytest.mark.parametrize("items", [1, 7])
@pytest.mark.parametrize("before", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("after", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_figures_are_finite_for_saturated_probabilities(
    items: int, before: tuple[float, float], after: tuple[float, float]
) -> None:
    old, new = torch.tensor([before]).expand(items, 2), torch.tensor([after]).expand(items, 2)
    change = measure_change(torch.stack([old, old]), new)
    figures = (change.flip_rate, change.overruled_confidence, change.marginal_shift, change.confidence_gain)
    assert all(math.isfinite(figure) for figure in figures)
    assert -1 <= change.overruled_confidence <= 1


def test_shares_are_measured_against_a_prior_that_the_caller_gave() -> None:
    views, adapted = shares(0.5, 0.5).expand(2, 20, 2), shares(0.9, 0.1)
    assert measure_change(views, adapted).marginal_shift > 0.3
    assert measure_change(views, adapted, [0.9, 0.1]).marginal_shift == pytest.approx(0, abs=1e-5)
    assert measure_change(views, shares(1.0, 0.0), [0.9, 0.1]).vanished == []  # a tenth is below half of 1/K
    assert measure_change(views, shares(1.0, 0.0), [0.6, 0.4]).vanished == [1]


def test_one_sidedness_is_the_share_of_changes_that_no_change_the_other_way_offsets() -> None:
    before = torch.tensor([[0.6, 0.4]] * 6 + [[0.4, 0.6]] * 4)
    there = before.clone()
    there[:3] = torch.tensor([0.4, 0.6])
    both = there.clone()
    both[6:8] = torch.tensor([0.6, 0.4])
    views = torch.stack([before, before])
    assert measure_change(views, before).one_sidedness == 0
    assert measure_change(views, there).one_sidedness == pytest.approx(1)
    assert measure_change(views, both).one_sidedness == pytest.approx(1 / 5)
