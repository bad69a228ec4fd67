"""The scale that the data gives."""

from __future__ import annotations

import pytest
import torch

from pouf_core.closed_forms.neighbours import nearest_neighbours
from pouf_core.closed_forms.target import neighbour_scale, target_of
from pouf_core.scoring import unit_length
from tests.pouf_core.embeddings import two_cones


def test_the_scale_goes_with_the_spread_of_the_cosines() -> None:
    data = two_cones(seed=3)
    features, prototypes = (unit_length(torch.from_numpy(part)) for part in (data.features, data.class_features))
    cosines, neighbours = features @ prototypes.T, nearest_neighbours(features)
    assert neighbour_scale(cosines / 3, neighbours) == pytest.approx(3 * neighbour_scale(cosines, neighbours), rel=0.05)


def test_probabilities_at_the_data_s_scale_are_about_as_sure_as_they_are_right() -> None:
    data = two_cones(seed=1, gap=0.5)
    features, prototypes = (unit_length(torch.from_numpy(part)) for part in (data.features, data.class_features))
    probabilities = target_of(features, prototypes).probabilities(slice(None))
    right = data.accuracy(probabilities.argmax(dim=1).numpy())
    assert probabilities.max(dim=1).values.mean().item() == pytest.approx(right, abs=0.15)


def test_neighbours_leave_the_item_out_and_weights_sum_to_one() -> None:
    features = unit_length(torch.randn(30, 8, generator=torch.Generator().manual_seed(0)))
    neighbours = nearest_neighbours(features, 4)
    assert not (neighbours.indices == torch.arange(30)[:, None]).any()
    torch.testing.assert_close(neighbours.weights.sum(dim=1), torch.ones(30))


def test_the_mean_over_neighbours_is_weighted() -> None:
    features = unit_length(torch.randn(30, 8, generator=torch.Generator().manual_seed(0)))
    neighbours, values = nearest_neighbours(features, 4), torch.rand(30, 3)
    expected = (neighbours.weights[:, :, None] * values[neighbours.indices]).sum(dim=1)
    torch.testing.assert_close(neighbours.mean(values), expected)
