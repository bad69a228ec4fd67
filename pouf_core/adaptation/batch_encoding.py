"""The two passes of a batch through an encoder that is trained, in micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from pouf_core.adaptation.features import Draw, FeatureSource

OnMicroBatch = Callable[[], None]


class BatchEncoder(Protocol):
    """Encodes a batch, and carries the gradient with respect to its features into the encoder's parameters."""

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """Be told what this step and the next one draw."""
        ...

    def features(self, draws: Sequence[Draw], micro_batch_size: int) -> Tensor:
        """Features [B, d] of the draws, without gradients."""
        ...

    def backward(self, draws: Sequence[Draw], gradient: Tensor, micro_batch_size: int) -> None:
        """Add to the parameters' gradients what follows from that of the features, `gradient` [B, d]."""
        ...


MakeBatches = Callable[[OnMicroBatch], BatchEncoder]


class MicroBatches:
    """Encodes a batch here, micro-batch by micro-batch.

    Args:
        source: where item features come from.
        on_micro_batch: called after every encoded micro-batch.
    """

    def __init__(self, source: FeatureSource, on_micro_batch: OnMicroBatch) -> None:
        self._source = source
        self._on_micro_batch = on_micro_batch

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """Begin to make the views."""
        self._source.expect(draws, following)

    def features(self, draws: Sequence[Draw], micro_batch_size: int) -> Tensor:
        """Features [B, d] of the draws, without gradients."""
        rows = []
        with torch.no_grad():
            for part in _parts(draws, micro_batch_size):
                rows.append(self._source.features(part))
                self._on_micro_batch()
        return torch.cat(rows)

    def backward(self, draws: Sequence[Draw], gradient: Tensor, micro_batch_size: int) -> None:
        """Encode once more, for the gradient [B, d] of the loss with respect to the draws' features."""
        for part, rows in zip(_parts(draws, micro_batch_size), gradient.split(micro_batch_size), strict=True):
            self._source.features(part).backward(rows)
            self._on_micro_batch()


def _parts(draws: Sequence[Draw], size: int) -> list[Sequence[Draw]]:
    return [draws[start : start + size] for start in range(0, len(draws), size)]
