"""Augmented views of preset `paper` are those of the public code, pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from pouf_core.data.items import Item, collect_items
from pouf_core.data.kept_pixels import KeptPixels
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.families.cosine.trained_parameters import is_convolutional
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


KINDS = ["none", "flip", "mild", "reference"]


def views_of(model: ClipLikeModel, kind: str, **settings: object) -> ImageViews:
    return ImageViews(kind, model.transform, model.image_size, model.image_mean, model.image_std, 3, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bit_views_are_encoded_as_the_normalised_ones(tiny_clip: ClipLikeModel, noise: Item, kind: str) -> None:
    numbers = range(4)
    compact = [views_of(tiny_clip, kind, compact=True).view(noise, number) for number in numbers]
    plain = [views_of(tiny_clip, kind).view(noise, number) for number in numbers]
    assert {view.dtype for view in compact} == {torch.uint8}
    assert all(view.shape == other.shape for view, other in zip(compact, plain, strict=True))
    with torch.no_grad():
        assert torch.equal(tiny_clip.encode_items(compact), tiny_clip.encode_items(plain))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_decoded_once_for_all_its_views(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,), _ = collect_items(picture_paths[:1])
    alone = [views_of(tiny_clip, kind).view(item, number) for number in (1, 2, 3)]
    decoded: list[str] = []
    image = Item.image
    monkeypatch.setattr(Item, "image", lambda self: (decoded.append(self.sha256), image(self))[1])
    views = views_of(tiny_clip, kind, kept=KeptPixels(lambda: 10**6))
    found = [views.view(item, number) for number in (1, 2, 3)]
    assert len(decoded) == 1
    assert all(torch.equal(view, other) for view, other in zip(found, alone, strict=True))


def test_a_transform_that_ends_in_another_way_gives_its_own_pixels(noise: Item) -> None:
    given = torch.ones(3, 4, 4)
    views = ImageViews("flip", lambda _: given, 4, MEAN, STD, seed=3, compact=True)
    assert torch.equal(views.view(noise, 0), given)
    assert torch.equal(views.view(noise, 1), given.flip(-1))


def test_a_tower_of_patches_is_not_convolutional(tiny_clip: ClipLikeModel, pouf_lite: ClipLikeModel) -> None:
    assert not is_convolutional(tiny_clip.network.visual)
    assert is_convolutional(pouf_lite.network.visual)
