"""Transports of three classes, and what they are asked about."""

from __future__ import annotations

import torch
from torch import Tensor

from pouf_core.adaptation.resolving import resolve
from pouf_core.contract.method import MethodSpec, ResolvedMethod
from pouf_core.objective import Transport
from pouf_core.transport import build_transport

OPTIMAL = ["sinkhorn", "emd", "unbalanced", "partial"]


def resolved(classes: int = 3, items: int = 24, **settings: object) -> ResolvedMethod:
    spec = MethodSpec.model_validate({"tune": "prompt", "class_prior": "uniform", **settings})
    return resolve(
        spec,
        torch.full((classes,), 1 / classes),
        item_count=items,
        kind="image",
        context_scale=0.05,
        device=torch.device("cpu"),
        threads=1,
        micro_batch_size=None,
    )


def chosen(name: str, **parameters: object) -> Transport:
    return build_transport(resolved(transport=name, **parameters))


def random_similarity(batch: int, classes: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(batch, classes, generator=generator, dtype=torch.float64) - 1


def random_prior(classes: int, seed: int = 1) -> Tensor:
    weights = torch.rand(classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1
    return weights / weights.sum()
