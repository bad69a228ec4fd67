"""Augmented views of preset `paper` are those of the public code, pixel by pixel."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import Tensor

from pouf_core.data.items import Item, collect_items
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.system.runtime import derived_seed
from tests.reference.augmentation import reference_view

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


@pytest.fixture(scope="module")
def noise() -> Item:
    """A picture whose every pixel shows how it was resized."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (310, 420, 3), generator=generator, dtype=torch.uint8)
    (item,), _ = collect_items([Image.fromarray(pixels.numpy())])
    return item


def drawn(item: Item, size: int, number: int) -> Tensor:
    return ImageViews("reference", lambda _: torch.empty(0), size, MEAN, STD, seed=3).view(item, number)


@pytest.mark.parametrize("size", [32, 224, 336, 448])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_reference_view_equals_that_of_the_public_code(noise: Item, size: int, number: int) -> None:
    expected = reference_view(noise.image(), size, MEAN, STD, derived_seed(3, "view", noise.sha256, number))
    found = drawn(noise, size, number)
    assert found.shape == (3, size, size)
    assert torch.equal(found, expected)


def test_every_draw_is_another_view(noise: Item) -> None:
    views = torch.stack([drawn(noise, 32, number) for number in range(24)])
    assert len({tuple(view.flatten().tolist()) for view in views}) == len(views)
