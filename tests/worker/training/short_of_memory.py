"""A helper whose memory runs out over two items."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from torch import Tensor

from pouf_core.adaptation.batch_encoding import MicroBatches
from pouf_core.adaptation.features import Draw
from worker.training.helper import main


class ShortOfMemory(MicroBatches):
    """Has room for one item."""

    def features(self, draws: Sequence[Draw], micro_batch_size: int) -> Tensor:
        if micro_batch_size > 1:
            raise RuntimeError("CUDA out of memory.")
        return super().features(draws, micro_batch_size)


if __name__ == "__main__":
    import pouf_core.adaptation.parallel

    pouf_core.adaptation.parallel.MicroBatches = ShortOfMemory  # type: ignore[misc,attr-defined]
    main(*sys.argv[1:])
