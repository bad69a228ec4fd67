"""Views of items, priors and evaluation."""

from __future__ import annotations

import pytest
import torch

from pouf_core.adaptation.resolving import estimate_prior
from pouf_core.data.items import collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from tests.pouf_core.conftest import draw_shape


@pytest.mark.parametrize("kind", ["flip", "mild", "reference"])
def test_views_repeat_exactly_and_differ_from_each_other(tiny_clip: ClipLikeModel, kind: str) -> None:
    items, _ = collect_items([draw_shape("circle", 3)])
    model = tiny_clip
    augmentation = ImageViews(kind, model.transform, model.image_size, model.image_mean, model.image_std, seed=1)
    state = torch.random.get_rng_state()
    first, second = augmentation.view(items[0], 1), augmentation.view(items[0], 2)
    assert first.shape == (3, 32, 32)
    assert torch.equal(first, augmentation.view(items[0], 1))
    assert not torch.equal(first, second)
    assert torch.equal(state, torch.random.get_rng_state())


def test_prior_leans_towards_a_skew_that_the_scores_show() -> None:
    labels = torch.cat([torch.zeros(90), torch.ones(10)]).long()
    scores = torch.full((100, 3), 0.1)
    scores[torch.arange(100), labels] = 0.8
    prior = estimate_prior(scores.mean(dim=0))
    assert prior.sum().item() == pytest.approx(1)
    assert prior[0] > prior[1] > prior[2] > 0.2
    assert prior[0] < scores.mean(dim=0)[0]


def test_prior_of_even_scores_is_uniform_and_no_class_is_ruled_out() -> None:
    assert estimate_prior(torch.full((4,), 0.25)).tolist() == pytest.approx([0.25] * 4)
    assert estimate_prior(torch.tensor([1.0, 0.0])).min() > 0.1
