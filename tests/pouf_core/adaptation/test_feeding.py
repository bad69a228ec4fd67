"""What feeds an encoder: views made in threads, and as many encoded at once as memory allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.feeding import ViewFeed, WithinMemory, encoded_parts
from pouf_core.data.items import Item, collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from tests.pouf_core.conftest import draw_shape

WAIT = 30


def noting(made: list[int]) -> ViewFeed[int, int]:
    def make(key: int) -> int:
        made.append(key)
        return key * key

    return ViewFeed(make, workers=3)


def test_what_is_expected_is_made_once_and_what_is_not_as_well() -> None:
    made: list[int] = []
    feed = noting(made)
    feed.expect([1, 2, 3, 2])
    assert feed([3, 1, 3]) == [9, 1, 9]
    assert feed([4, 2]) == [16, 4]
    feed.expect([2, 5])
    assert feed([2, 5]) == [4, 25]
    feed.close()
    assert sorted(made) == [1, 2, 3, 4, 5]


def test_what_is_no_longer_expected_is_forgotten() -> None:
    made: list[int] = []
    feed = noting(made)
    feed.expect([1])
    feed([1])
    feed.expect([2])
    feed([1])
    assert made.count(1) == 2


def test_views_are_made_while_nobody_asks() -> None:
    begun = threading.Event()
    feed: ViewFeed[int, None] = ViewFeed(lambda _: begun.set(), workers=1)
    feed.expect([1])
    assert begun.wait(WAIT)


def test_an_error_reaches_who_asks() -> None:
    feed: ViewFeed[int, float] = ViewFeed(lambda key: 1 / key, workers=2)
    feed.expect([0, 1])
    with pytest.raises(ZeroDivisionError):
        feed([0])
    assert feed([1]) == [1]


def test_an_encoder_remembers_how_many_fit() -> None:
    asked: list[int] = []

    def encode(views: Sequence[float]) -> Tensor:
        asked.append(len(views))
        if len(views) > 3:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return torch.tensor(views)

    within = WithinMemory(encode, torch.cat)
    for _ in range(2):
        assert within([float(number) for number in range(8)]).tolist() == list(range(8))
    assert asked == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def slow_views(model: ClipLikeModel, delays: dict[str, float]) -> ImageViews:
    """Views that take as long as is said for each picture, so that threads overtake each other."""

    class Slow(ImageViews):
        def view(self, item: Item, number: int) -> Tensor:
            time.sleep(delays[item.sha256])
            return super().view(item, number)

    return Slow("reference", model.transform, model.image_size, model.image_mean, model.image_std, seed=5)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_random_views_do_not_depend_on_the_number_of_threads(
    tiny_clip: ClipLikeModel, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("pouf_core.adaptation.features.view_workers", lambda _: workers)
    items, _ = collect_items([draw_shape("line", index) for index in range(12)])
    delays = {item.sha256: 0.002 * ((7 * order) % 5) for order, item in enumerate(items)}
    views = slow_views(tiny_clip, delays)
    source = ComputedFeatures(tiny_clip, items, views, 0)
    draws = [(index, epoch) for epoch in (0, 1) for index in range(12)]
    source.expect(draws[:8], draws[8:])
    with torch.no_grad():
        found = source.features(draws)
        expected = tiny_clip.encode_items([views.view(items[index], epoch + 1) for index, epoch in draws])
    assert torch.equal(found, expected)


def test_a_gpu_gets_its_next_batch_before_this_one_is_looked_at(
    tiny_clip: ClipLikeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pouf_core.adaptation.feeding.encode_batch", lambda _: 4)
    items, _ = collect_items([draw_shape("circle", index) for index in range(10)])
    views = tiny_clip.views("none", 0)
    encoded: list[int] = []

    def encode(pixels: Sequence[Tensor]) -> list[Tensor]:
        encoded.append(len(pixels))
        return [tiny_clip.encode_items(pixels)]

    seen = []
    for part, (features,) in encoded_parts(encode, items, np.arange(10), views, 0, torch.device("meta")):
        seen += [items[index] for index in part]
        assert len(features) == len(part)
        assert sum(encoded) > len(seen) or len(seen) == len(items)
    assert seen == items
