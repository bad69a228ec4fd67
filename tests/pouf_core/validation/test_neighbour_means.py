"""Means over the nearest other items."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.closed_forms import neighbours
from pouf_core.validation import measurements
from pouf_core.validation.measurements import (
    NEIGHBOURS,
    neighbour_mean,
)


def unit_vectors(count: int, width: int = 8, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, width, generator=generator), dim=1)


def by_loop(features: Tensor, values: Tensor, count: int) -> Tensor:
    means = []
    for item in range(len(features)):
        others = [other for other in range(len(features)) if other != item]
        others.sort(key=lambda other: -float(features[item] @ features[other]))
        means.append(torch.stack([values[other] for other in others[:count]]).mean(dim=0))
    return torch.stack(means)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_it_is_the_mean_over_the_nearest_others(count: int) -> None:
    features, values = unit_vectors(30), torch.rand(30, 4, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(neighbour_mean(features, values, count), by_loop(features, values, count), atol=1e-6)


def test_five_neighbours_are_asked_by_default() -> None:
    features, values = unit_vectors(30), torch.arange(30.0)[:, None]
    assert NEIGHBOURS == 5
    assert torch.allclose(neighbour_mean(features, values), by_loop(features, values, 5), atol=1e-5)


def test_an_item_is_not_its_own_neighbour() -> None:
    features = unit_vectors(12)
    marked = torch.eye(12)
    means = neighbour_mean(features, marked, 3)
    assert torch.equal(means.diagonal(), torch.zeros(12))
    assert torch.allclose(means.sum(dim=1), torch.ones(12))


def test_with_few_items_all_the_others_are_asked() -> None:
    features, values = unit_vectors(3), torch.tensor([[0.0], [3.0], [9.0]])
    assert torch.allclose(neighbour_mean(features, values, 5), torch.tensor([[6.0], [4.5], [1.5]]))
    assert torch.equal(neighbour_mean(features[:2], values[:2], 5), values[:2].flip(0))


@pytest.mark.parametrize("rows_at_once", [1, 4, 7, 20])
def test_chunks_leave_no_trace(monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    features, values = unit_vectors(20), torch.rand(20, 3, generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(measurements, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(neighbours, "_ROWS_AT_ONCE", rows_at_once)
    assert torch.allclose(neighbour_mean(features, values), by_loop(features, values, 5), atol=1e-6)


def test_a_duplicate_is_a_neighbour_like_any_other() -> None:
    features = unit_vectors(6)
    features[4] = features[1]
    means = neighbour_mean(features, torch.eye(6), 1)
    assert means[1].argmax() == 4
    assert means[4].argmax() == 1


def test_items_that_are_all_the_same_still_leave_themselves_out() -> None:
    features = unit_vectors(1).expand(8, -1)
    means = neighbour_mean(features, torch.eye(8), 3)
    assert torch.equal(means.diagonal(), torch.zeros(8))
