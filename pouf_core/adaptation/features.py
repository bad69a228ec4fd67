"""Item features of a batch: looked up where the encoder is frozen, computed where it is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol

import torch
from torch import Tensor

from pouf_core.adaptation.feeding import ViewFeed, WithinMemory, encoded_parts
from pouf_core.data.embeddings import EmbeddingItems
from pouf_core.data.items import Item
from pouf_core.families.interface import ItemEncoder, Views, ViewT
from pouf_core.system.runtime import CPU_BATCH, view_workers

Draw = tuple[int, int]
"""Item index and epoch."""

ENCODE_BATCH = CPU_BATCH
CPU = torch.device("cpu")
_EXPECTED = 256  # draws of a step whose views are made ahead and kept; a view of a picture takes some 150 to 600 KB

OnEncoded = Callable[[int, int], None]
"""Items done, items in all."""


class FeatureSource(Protocol):
    """Features of drawn items."""

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """Be told what this step and the next one draw, before the features are asked for."""
        ...

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

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """All is encoded."""

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

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """All is encoded."""

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
        device: what the encoder runs on.
    """

    def __init__(
        self,
        encoder: ItemEncoder[ViewT],
        items: Sequence[Item],
        views_of: Views[ViewT],
        views: int,
        device: torch.device = CPU,
    ) -> None:
        self._items = items
        self._views_of = views_of
        self._views = views
        self._encode = encoder.encode_items
        self._encode_plain = WithinMemory(encoder.encode_items)
        self._feed: ViewFeed[tuple[int, int | None], ViewT] = ViewFeed(self._made, view_workers(device))

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """Make the views of both, some of them ahead, and keep them until something else is expected."""
        ahead = [*draws[:_EXPECTED], *following[:_EXPECTED]]
        self._feed.expect([(index, self._view(index, epoch)) for index, epoch in ahead])

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Encode the draws' views."""
        return self._encode(self._feed([(index, self._view(index, epoch)) for index, epoch in draws]))

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Encode the items as they are."""
        return self._encode_plain(self._feed([(index, None) for index in indices]))

    def _made(self, key: tuple[int, int | None]) -> ViewT:
        index, view = key
        item = self._items[index]
        return self._views_of.plain(item) if view is None else self._views_of.view(item, view)

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
    device: torch.device = CPU,
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
        device: what it runs on.
    """
    if isinstance(items, EmbeddingItems):
        return _given_features(encode, items, len(views), on_encoded)
    total, done = len(items) * len(views), 0
    with torch.no_grad():
        for view in views:
            name = views_of.name(view)
            missing = sorted(cache.missing(encoder, name, items), key=views_of.size)
            done += len(items) - len(missing)
            for part, features in encoded_parts(encode, missing, views_of, view, device):
                cache.add(encoder, name, part, features)
                done += len(part)
                on_encoded(done, total)
    return torch.stack([cache.get(encoder, views_of.name(view), items) for view in views])


def _given_features(
    encode: Callable[[Any], Tensor], items: EmbeddingItems, views: int, on_encoded: OnEncoded
) -> Tensor:
    """Vectors are features already: the matrix as it is, without a copy for each item or view."""
    features = encode(items.features)
    on_encoded(len(items), len(items))
    return features.expand(views, *features.shape)
