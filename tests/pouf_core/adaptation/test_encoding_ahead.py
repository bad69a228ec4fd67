"""The next pictures are decoded while others are encoded."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from pouf_core.adaptation.features import ENCODE_BATCH, FrozenEncoder, encode_views
from pouf_core.data.items import Item, collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.feature_cache.cache import FeatureCache
from tests.pouf_core.conftest import draw_shape

WAIT = 30
COUNT = 2 * ENCODE_BATCH + 1


class Watched(ImageViews):
    """Says when the second batch is begun."""

    def __init__(self, model: ClipLikeModel, kind: str) -> None:
        super().__init__(kind, model.transform, model.image_size, model.image_mean, model.image_std, seed=0)
        self.made = 0
        self.second = threading.Event()

    def view(self, item: Item, number: int) -> Tensor:
        self.made += 1
        if self.made > ENCODE_BATCH:
            self.second.set()
        return super().view(item, number)


def test_the_next_batch_is_decoded_during_the_first(tiny_clip: ClipLikeModel) -> None:
    items, _ = collect_items([draw_shape("circle", index) for index in range(COUNT)])
    views = Watched(tiny_clip, "none")
    waited: list[bool] = []

    def encode(pixels: Sequence[Tensor]) -> Tensor:
        waited.append(views.second.wait(WAIT))
        return tiny_clip.encode_items(pixels)

    encoder = FrozenEncoder(lambda: ["encoder"], lambda pixels: [encode(pixels)], tiny_clip.device)
    ((found,),) = encode_views(encoder, items, views, [0], lambda *_: None, FeatureCache())
    assert waited[0]
    assert len(found) == len(items)


def test_random_views_are_those_of_one_after_the_other(tiny_clip: ClipLikeModel) -> None:
    items, _ = collect_items([draw_shape("square", index) for index in range(COUNT)])
    views = Watched(tiny_clip, "mild")
    encoder: FrozenEncoder[Tensor] = FrozenEncoder(
        lambda: ["pixels"], lambda pixels: [torch.stack(list(pixels)).flatten(1)], tiny_clip.device
    )
    ((found,),) = encode_views(encoder, items, views, [1], lambda *_: None, FeatureCache())
    expected = torch.stack([views.view(item, 1) for item in items]).flatten(1)
    assert torch.equal(found[:], expected)
