"""What weights are known by."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def weights_hash(tensors: dict[str, Tensor]) -> str:
    """SHA-256 (hex) over names, shapes, types and bytes of tensors, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
