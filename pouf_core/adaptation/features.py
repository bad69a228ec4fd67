"""Item features of a batch: looked up where the encoder is frozen, computed where it is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

import numpy as np
import torch
from torch import Tensor

from pouf_core.adaptation.feeding import ViewFeed, WithinMemory, encoded_parts
from pouf_core.contract.engine import EngineUsed
from pouf_core.data.embeddings import EmbeddingItems
from pouf_core.data.items import Item
from pouf_core.families.interface import ItemEncoder, Views, ViewT
from pouf_core.feature_cache.cache import FeatureCache, Indices
from pouf_core.feature_cache.digests import digests_of
from pouf_core.feature_cache.volume import Digests
from pouf_core.scoring import FeatureMatrix
from pouf_core.system.runtime import CPU_BATCH, view_workers
from pouf_core.system.transfer import indices_on

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
        views: of each of V views, [n, d].
        plain: [n, d] of the items as they are.
    """

    def __init__(self, views: Sequence[FeatureMatrix], plain: FeatureMatrix) -> None:
        self._views = views
        self._plain = plain

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """All is encoded."""

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Items go through the views from epoch to epoch, each starting at another one."""
        of_view: list[list[int]] = [[] for _ in self._views]
        for place, (index, epoch) in enumerate(draws):
            of_view[(index + epoch) % len(self._views)].append(place)
        parts = [
            _rows(self._views[view], [draws[place][0] for place in places])
            for view, places in enumerate(of_view)
            if places
        ]
        order = torch.tensor([place for places in of_view for place in places]).argsort().tolist()
        return _rows(torch.cat(parts), order)

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Look them up."""
        return _rows(self._plain, list(indices))


def _rows(matrix: FeatureMatrix, indices: list[int]) -> Tensor:
    """Some rows [b, d]; a GPU's are gathered without waiting for it."""
    return matrix[indices_on(matrix.device, indices)] if isinstance(matrix, Tensor) else matrix[indices]


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


class FeaturesOnDemand:
    """Features [n, d] of items as they are under the weights of the moment, made whenever they are asked for.

    Args:
        source: makes them.
        shape: n and d.
        at_once: items encoded at once.
        on_encoded: called before each such batch.
    """

    def __init__(
        self, source: FeatureSource, shape: tuple[int, int], at_once: int, on_encoded: Callable[[], None]
    ) -> None:
        self._source = source
        self._at_once = at_once
        self._on_encoded = on_encoded
        self.shape = shape

    def __len__(self) -> int:
        """n."""
        return self.shape[0]

    def __getitem__(self, rows: slice | list[int], /) -> Tensor:
        """Some rows [b, d], b at least 1."""
        indices = range(len(self))[rows] if isinstance(rows, slice) else rows
        found = []
        for start in range(0, len(indices), self._at_once):
            self._on_encoded()
            with torch.no_grad():
                found.append(self._source.plain(indices[start : start + self._at_once]))
        return torch.cat(found)


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
        self._encode_plain = WithinMemory(encoder.encode_items, torch.cat)
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


@dataclass(frozen=True)
class FrozenEncoder(Generic[ViewT]):
    """What makes features of items, untrained.

    Attributes:
        names: gives the names of the kinds of features that it makes, which change where another engine takes over.
        encode: B versions of items to features [B, d] of each kind.
        device: where the features are.
        engine: gives what runs it.
    """

    names: Callable[[], Sequence[str]]
    encode: Callable[[Sequence[ViewT]], Sequence[Tensor]]
    device: torch.device
    engine: Callable[[], EngineUsed | None] = lambda: None


def encode_views(
    encoder: FrozenEncoder[ViewT],
    items: Sequence[Item],
    views_of: Views[ViewT],
    views: Sequence[int],
    on_encoded: OnEncoded,
    cache: FeatureCache,
) -> list[list[FeatureMatrix]]:
    """The features [n, d] of the given views of every item, for each kind a list of one a view, without gradients.

    Args:
        encoder: what makes them.
        items: n items.
        views_of: makes the views.
        views: numbers of views, at least one.
        on_encoded: told about every encoded batch.
        cache: asked first, and filled; items whose features it has are not read.
    """
    if isinstance(items, EmbeddingItems):
        return _given_features(encoder, items, len(views), on_encoded)
    digests, total = digests_of(items), len(items) * len(views)
    try:
        for position, view in enumerate(views):
            count = _counted(on_encoded, position * len(items), total)
            with torch.no_grad():
                while not _encode_missing(encoder, items, digests, views_of, view, count, cache):
                    pass
    finally:
        cache.release()
    found = {
        name: [cache.get(name, views_of.name(view), digests, encoder.device) for view in views]
        for name in encoder.names()
    }
    return list(found.values())


def _counted(on_encoded: OnEncoded, before: int, total: int) -> Callable[[int], None]:
    return lambda done: on_encoded(before + done, total)


def _encode_missing(
    encoder: FrozenEncoder[ViewT],
    items: Sequence[Item],
    digests: Digests,
    views_of: Views[ViewT],
    view: int,
    on_done: Callable[[int], None],
    cache: FeatureCache,
) -> bool:
    """Encode a view of the items that lack features; False where these got other names on the way."""
    seen_as = views_of.name(view)
    lacking = {name: cache.lacking(name, seen_as, digests) for name in encoder.names()}
    missing = np.flatnonzero(np.any(list(lacking.values()), axis=0))
    done = len(items) - len(missing)
    ordered = _by_size(missing, items, views_of)
    for part, features in encoded_parts(encoder.encode, items, ordered, views_of, view, encoder.device):
        names = encoder.names()
        for name, rows in zip(names, features, strict=True):
            new = lacking[name][part] if name in lacking else cache.lacking(name, seen_as, digests[part])
            cache.add(name, seen_as, digests[part][new], rows[np.flatnonzero(new).tolist()], encoder.engine())
        if not lacking.keys() >= set(names):
            return False
        done += len(part)
        on_done(done)
    return True


def _by_size(indices: Indices, items: Sequence[Item], views_of: Views[ViewT]) -> Indices:
    """Those of like size together."""
    sizes = np.fromiter((views_of.size(items[index]) for index in indices.tolist()), np.int64, len(indices))
    return indices[np.argsort(sizes, kind="stable")]


def _given_features(
    encoder: FrozenEncoder[ViewT], items: EmbeddingItems, views: int, on_encoded: OnEncoded
) -> list[list[FeatureMatrix]]:
    """Vectors are features already: the matrix as it is, without a copy for each item or view."""
    encode: Callable[[Any], Sequence[Tensor]] = encoder.encode
    features = encode(items.features)
    on_encoded(len(items), len(items))
    return [[matrix] * views for matrix in features]
