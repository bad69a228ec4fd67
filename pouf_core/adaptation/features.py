"""Item features of a batch: looked up where the encoder is frozen, computed where it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Protocol

import torch
from torch import Tensor

from pouf_core.data.embeddings import EmbeddingItems
from pouf_core.data.items import Item
from pouf_core.errors import OutOfMemory
from pouf_core.families.interface import ItemEncoder, Views, ViewT
from pouf_core.system.memory import is_out_of_memory, release_memory

Draw = tuple[int, int]
"""Item index and epoch."""

ENCODE_BATCH = 32

OnEncoded = Callable[[int, int], None]
"""Items done, items in all."""


class FeatureSource(Protocol):
    """Features of drawn items."""

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Features [b, d] of the draws, with gradients where the encoder is trained."""
        ...

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Features [b, d] of items as they are."""
        ...


class CachedFeatures:
    """Features encoded once.

    Args:
        views: [V, n, d] of each of V views.
        plain: [n, d] of the items as they are.
    """

    def __init__(self, views: Tensor, plain: Tensor) -> None:
        self._views = views
        self._plain = plain

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Items go through the views from epoch to epoch, each starting at another one."""
        view_count = len(self._views)
        views = [(index + epoch) % view_count for index, epoch in draws]
        return self._views[views, [index for index, _ in draws]]

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Look them up."""
        return self._plain[list(indices)]


class ProjectedFeatures:
    """Features from a frozen trunk, encoded once, through a projection head that is trained."""

    def __init__(self, project: Callable[[Tensor], Tensor], trunk: CachedFeatures) -> None:
        self._project = project
        self._trunk = trunk

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Project the draws' trunk features."""
        return self._project(self._trunk.features(draws))

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Project the trunk features of the items as they are."""
        return self._project(self._trunk.plain(indices))


class ComputedFeatures(Generic[ViewT]):
    """Features from the items themselves at every step.

    Args:
        encoder: what is trained.
        items: the target data.
        views_of: makes the views.
        views: number of fixed views, or 0 for a fresh one in every epoch.
    """

    def __init__(self, encoder: ItemEncoder[ViewT], items: Sequence[Item], views_of: Views[ViewT], views: int) -> None:
        self._encoder = encoder
        self._items = items
        self._views_of = views_of
        self._views = views

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Encode the draws' views."""
        views = [self._views_of.view(self._items[index], self._view(index, epoch)) for index, epoch in draws]
        return self._encoder.encode_items(views)

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Encode the items as they are."""
        return self._encoder.encode_items([self._views_of.plain(self._items[index]) for index in indices])

    def _view(self, index: int, epoch: int) -> int:
        return (index + epoch) % self._views if self._views else epoch + 1


class FeatureCache:
    """Features of frozen encoders, kept in memory; runs over the same items may share one.

    Args:
        fixed_views: views that stand in for the fresh ones a method draws at every step; 0 keeps them fresh. It makes
            long recipes affordable where the encoder is frozen.
    """

    def __init__(self, fixed_views: int = 0) -> None:
        self.fixed_views = fixed_views
        self._rows: dict[tuple[str, str, str], Tensor] = {}

    def missing(self, encoder: str, view: str, items: Sequence[Item]) -> list[Item]:
        """The items without features in this view."""
        return [item for item in items if (encoder, view, item.sha256) not in self._rows]

    def add(self, encoder: str, view: str, items: Sequence[Item], features: Tensor) -> None:
        """Keep features [len(items), d]."""
        for item, row in zip(items, features, strict=True):
            self._rows[encoder, view, item.sha256] = row

    def get(self, encoder: str, view: str, items: Sequence[Item]) -> Tensor:
        """Features [len(items), d]; all must have been added."""
        return torch.stack([self._rows[encoder, view, item.sha256] for item in items])


def encode_views(
    encode: Callable[[Sequence[ViewT]], Tensor],
    items: Sequence[Item],
    views_of: Views[ViewT],
    views: Sequence[int],
    on_encoded: OnEncoded,
    cache: FeatureCache,
    encoder: str,
) -> Tensor:
    """What `encode` makes of the given views of every item, [V, n, d], without gradients.

    Args:
        encode: B versions of items to features [B, d], frozen.
        items: n items.
        views_of: makes the views.
        views: V numbers of views, at least one.
        on_encoded: told about every encoded batch.
        cache: asked first, and filled.
        encoder: the name of `encode` in the cache.
    """
    if isinstance(items, EmbeddingItems):
        return _given_features(encode, items, len(views), on_encoded)
    total, done = len(items) * len(views), 0
    with torch.no_grad():
        for view in views:
            name = views_of.name(view)
            missing = sorted(cache.missing(encoder, name, items), key=views_of.size)
            done += len(items) - len(missing)
            for part, seen in _views_ahead(missing, views_of, view):
                cache.add(encoder, name, part, _within_memory(encode, seen))
                done += len(part)
                on_encoded(done, total)
    return torch.stack([cache.get(encoder, views_of.name(view), items) for view in views])


def _views_ahead(
    items: Sequence[Item], views_of: Views[ViewT], number: int
) -> Iterator[tuple[Sequence[Item], list[ViewT]]]:
    """Some items at a time with their views; the next are decoded in a thread meanwhile."""
    parts = [items[start : start + ENCODE_BATCH] for start in range(0, len(items), ENCODE_BATCH)]

    def views(part: Sequence[Item]) -> list[ViewT]:
        return [views_of.view(item, number) for item in part]

    with ThreadPoolExecutor(1, thread_name_prefix="views") as pool:  # one, since views draw from the global generator
        waiting = [pool.submit(views, part) for part in parts[:1]]
        for index, part in enumerate(parts):
            seen = waiting.pop().result()
            waiting += [pool.submit(views, following) for following in parts[index + 1 : index + 2]]
            yield part, seen


def _given_features(
    encode: Callable[[Any], Tensor], items: EmbeddingItems, views: int, on_encoded: OnEncoded
) -> Tensor:
    """Vectors are features already: the matrix as it is, without a copy for each item or view."""
    features = encode(items.features)
    on_encoded(len(items), len(items))
    return features.expand(views, *features.shape)


def _within_memory(encode: Callable[[Sequence[ViewT]], Tensor], views: Sequence[ViewT]) -> Tensor:
    """Encode a batch, in halves when memory runs out."""
    try:
        return encode(views)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(views) == 1:
            message = "Memory ran out over a single item. Use a smaller base model or a device with more memory."
            raise OutOfMemory("out_of_memory", message) from error
    release_memory()
    middle = (len(views) + 1) // 2
    return torch.cat([_within_memory(encode, half) for half in (views[:middle], views[middle:])])
