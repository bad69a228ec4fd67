"""Feeding an encoder: views are made in threads ahead of it, and as many encoded at once as memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pouf_core.data.items import Item
from pouf_core.errors import OutOfMemory
from pouf_core.families.interface import Views, ViewT
from pouf_core.system.memory import is_out_of_memory, release_memory
from pouf_core.system.runtime import encode_batch, view_workers
from pouf_core.system.transfer import on_their_way

FeaturesT = TypeVar("FeaturesT")
KeyT = TypeVar("KeyT", bound=Hashable)
"""What names a view."""
_BATCHES_AHEAD = 2
_PIECES_A_WORKER = 2  # so that no worker waits long for one with slower pictures
_CPU = torch.device("cpu")


class ViewFeed(Generic[KeyT, ViewT]):
    """Views by key, made by several threads. What they are must not depend on the thread or on the order.

    Args:
        make: a key to its view.
        workers: threads.
    """

    def __init__(self, make: Callable[[KeyT], ViewT], workers: int) -> None:
        self._make = make
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="views")
        self._coming: dict[KeyT, tuple[Future[list[ViewT]], int]] = {}

    def expect(self, keys: Sequence[KeyT]) -> None:
        """Begin to make what will be asked for, as far as it is not made; forget all else."""
        known = {key: self._coming[key] for key in keys if key in self._coming}
        self._coming = known | self._begun([key for key in dict.fromkeys(keys) if key not in known])

    def __call__(self, keys: Sequence[KeyT]) -> list[ViewT]:
        """The views of keys, those that are not expected as well."""
        begun = self._begun([key for key in dict.fromkeys(keys) if key not in self._coming])
        found = [begun.get(key) or self._coming[key] for key in keys]
        return [future.result()[place] for future, place in found]

    def _begun(self, keys: Sequence[KeyT]) -> dict[KeyT, tuple[Future[list[ViewT]], int]]:
        size = max(1, math.ceil(len(keys) / (_PIECES_A_WORKER * self._workers)))
        begun = {}
        for start in range(0, len(keys), size):
            piece = keys[start : start + size]
            future = self._pool.submit(lambda piece: [self._make(key) for key in piece], piece)
            begun.update({key: (future, place) for place, key in enumerate(piece)})
        return begun

    def close(self) -> None:
        """End the threads; what nobody waits for is not made."""
        self._pool.shutdown(cancel_futures=True)


class WithinMemory(Generic[ViewT, FeaturesT]):
    """An encoder that takes as many views at once as memory allows.

    When memory runs out, it takes half as many, from then on.

    Args:
        encode: B views to their features, frozen.
        join: features of some views and of the next, as those of all of them.
    """

    def __init__(
        self, encode: Callable[[Sequence[ViewT]], FeaturesT], join: Callable[[list[FeaturesT]], FeaturesT]
    ) -> None:
        self._encode = encode
        self._join = join
        self._most: int | None = None

    def __call__(self, views: Sequence[ViewT]) -> FeaturesT:
        """Features of all views.

        Raises:
            OutOfMemory: memory ran out over a single view.
        """
        while True:
            size = min(self._most or len(views), len(views))
            try:
                parts = [self._encode(views[start : start + size]) for start in range(0, len(views), size)]
                return parts[0] if len(parts) == 1 else self._join(parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    message = (
                        "Memory ran out over a single item. Use a smaller base model or a device with more memory."
                    )
                    raise OutOfMemory("out_of_memory", message) from error
            self._most = size // 2
            release_memory()


def encoded_parts(
    encode: Callable[[Sequence[ViewT]], Sequence[Tensor]],
    items: Sequence[Item],
    indices: npt.NDArray[np.int64],
    views_of: Views[ViewT],
    number: int,
    device: torch.device = _CPU,
) -> Iterator[tuple[npt.NDArray[np.int64], Sequence[Tensor]]]:
    """The indices of some items at a time with their features [b, d] of each kind on the host, in order.

    The next items' views are made meanwhile. A GPU has the next batch before anyone waits for the features of this one.

    Args:
        encode: B views to features [B, d] of each kind, frozen.
        items: n items.
        indices: of those that are encoded, in this order.
        views_of: makes the views.
        number: which view.
        device: what the encoder runs on.
    """
    size = encode_batch(device)
    parts = [indices[start : start + size] for start in range(0, len(indices), size)]
    within_memory = WithinMemory(encode, lambda pieces: [torch.cat(kind) for kind in zip(*pieces, strict=True)])
    waiting: list[tuple[npt.NDArray[np.int64], Callable[[], Sequence[Tensor]]]] = []
    feed: ViewFeed[int, ViewT] = ViewFeed(lambda index: views_of.view(items[index], number), view_workers(device))
    try:
        for order, part in enumerate(parts):
            feed.expect([index for batch in parts[order : order + _BATCHES_AHEAD] for index in batch.tolist()])
            waiting.append((part, on_their_way(within_memory(feed(part.tolist())))))
            if device.type == "cpu" or len(waiting) > 1:
                done, features = waiting.pop(0)
                yield done, features()
        for done, features in waiting:
            yield done, features()
    finally:
        feed.close()
