"""Features of a frozen encoder where memory is tight."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pouf_core.adaptation.features import FrozenEncoder, encode_views
from pouf_core.data.items import collect_items
from pouf_core.errors import OutOfMemory
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.feature_cache.cache import FeatureCache
from tests.pouf_core.conftest import draw_shape

COUNT = 20


def encode(model: ClipLikeModel, room: int, error: type[Exception] = torch.OutOfMemoryError) -> Tensor:
    """Features of COUNT pictures by an encoder with room for so many at once."""

    def within_room(pixels: Sequence[Tensor]) -> Tensor:
        if len(pixels) > room:
            raise error("CUDA out of memory.")
        return model.encode_items(pixels)

    items, _ = collect_items([draw_shape("circle", index) for index in range(COUNT)])
    views = ImageViews("none", model.transform, model.image_size, model.image_mean, model.image_std, 0)
    encoder = FrozenEncoder(lambda: ["encoder"], lambda seen: [within_room(seen)], model.device)
    return encode_views(encoder, items, views, [0], lambda *_: None, FeatureCache())[0][0][:]


@pytest.mark.parametrize("room", [19, 7, 1])
def test_lack_of_memory_halves_what_is_encoded_at_once(tiny_clip: ClipLikeModel, room: int) -> None:
    assert torch.allclose(encode(tiny_clip, room), encode(tiny_clip, COUNT), atol=1e-6)


def test_no_room_for_a_single_item_is_an_error_with_a_code(tiny_clip: ClipLikeModel) -> None:
    with pytest.raises(OutOfMemory) as caught:
        encode(tiny_clip, room=0)
    assert caught.value.code == "out_of_memory"


def test_other_errors_are_not_taken_for_a_lack_of_memory(tiny_clip: ClipLikeModel) -> None:
    with pytest.raises(ZeroDivisionError):
        encode(tiny_clip, room=0, error=ZeroDivisionError)
