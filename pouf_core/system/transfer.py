"""Tensors from the host to the device that computes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def stacked_on(device: torch.device, rows: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape as one on a device, [len(rows), …].

    To a GPU they go through pinned memory, and the copy does not wait for what the GPU still computes.
    """
    if device.type != "cuda":
        return torch.stack(list(rows)).to(device)
    pinned = torch.empty((len(rows), *rows[0].shape), dtype=rows[0].dtype, pin_memory=True)
    torch.stack(list(rows), out=pinned)
    return pinned.to(device, non_blocking=True)
