"""Tensors between the host and the device that computes, without making it wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def indices_on(device: torch.device, values: Sequence[int]) -> Tensor:
    """Indices as a tensor [len(values)] on a device, which does not wait for it."""
    return torch.tensor(values, dtype=torch.long).to(device, non_blocking=True)


def on_their_way(tensors: Sequence[Tensor]) -> Callable[[], Sequence[Tensor]]:
    """Begin to copy tensors of one device to the host; what is returned waits for the copies and gives them.

    Tensors on a CPU are given as they are.
    """
    if not tensors or tensors[0].device.type != "cuda":
        return lambda: tensors
    copies = [tensor.to("cpu", non_blocking=True) for tensor in tensors]
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(tensors[0].device))

    def wait() -> Sequence[Tensor]:
        arrived.synchronize()
        return copies

    return wait
