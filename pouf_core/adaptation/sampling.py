"""Which items make up the batch of a step: a pure function of seed and step, so that resuming needs no state."""

from __future__ import annotations

import torch

from pouf_core.system.runtime import generator


class BatchSampler:
    """Random batches over n items.

    Args:
        item_count: n.
        batch_size: items in a batch; with fewer items than that, every batch holds each item once.
        drop_last: leave out the items of an epoch that do not fill a batch (the reference recipe); otherwise
            batches run on from one epoch into the next.
        seed: the adaptation's seed.
        first: index of the first item; those before it are kept out of training.
        short_batches: where nothing is left out, end every epoch with a smaller batch instead.
    """

    def __init__(
        self,
        item_count: int,
        batch_size: int,
        drop_last: bool,
        seed: int,
        first: int = 0,
        *,
        short_batches: bool = False,
    ) -> None:
        self.item_count = item_count
        self.batch_size = min(batch_size, item_count)
        whole = item_count - item_count % self.batch_size
        self._epoch_length = whole if drop_last else item_count
        self._batches_an_epoch = -(-item_count // self.batch_size) if short_batches and not drop_last else None
        self._seed = seed
        self._first = first
        self._orders: dict[int, list[int]] = {}

    def batch(self, step: int) -> list[tuple[int, int]]:
        """The batch of a step (from 0): pairs of item index and epoch, the latter numbering fresh views."""
        positions = self._positions(step)
        epochs = {position // self._epoch_length for position in positions}
        self._orders = {epoch: self._orders.get(epoch) or self._order(epoch) for epoch in epochs}
        return [
            (self._first + self._orders[epoch][place], epoch)
            for epoch, place in (divmod(position, self._epoch_length) for position in positions)
        ]

    def _positions(self, step: int) -> range:
        """Where the batch lies in the sequence of all epochs."""
        if self._batches_an_epoch is None:
            start = step * self.batch_size
            return range(start, start + self.batch_size)
        epoch, batch = divmod(step, self._batches_an_epoch)
        start, end = epoch * self.item_count + batch * self.batch_size, (epoch + 1) * self.item_count
        return range(start, min(start + self.batch_size, end))

    def _order(self, epoch: int) -> list[int]:
        shuffled: list[int] = torch.randperm(self.item_count, generator=generator(self._seed, "order", epoch)).tolist()
        return shuffled
