"""Trained tensors: what they are called, in checkpoints and artifacts, and what they are known by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

CONTEXT = "context"
LOGIT_SCALE = "logit_scale"
OFFSETS = "prototype_offsets"
NETWORK = "network."
"""Stands before the name of a parameter of the base model's network."""


def copies_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Detached copies on the CPU."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def network_parameters(tensors: Mapping[str, Tensor], start: str = "") -> dict[str, Tensor]:
    """Those that are parameters of the network, by their names in it, where these begin with `start`."""
    prefix = NETWORK + start
    return {name.removeprefix(NETWORK): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over names, shapes, types and bytes of tensors, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
