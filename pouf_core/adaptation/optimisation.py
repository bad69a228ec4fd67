"""Optimiser and learning-rate schedule of an adaptation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from pouf_core.method import ResolvedMethod

INVERSE_GAMMA = 2e-4
INVERSE_POWER = 0.75


def build_optimizer(
    method: ResolvedMethod, trained: Sequence[nn.Parameter], logit_scale: nn.Parameter | None
) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW; the logit scale, where it is trained, has a rate of its own."""
    groups: list[dict[str, object]] = [{"params": list(trained), "lr": method.learning_rate}]
    if logit_scale is not None:
        groups.append({"params": [logit_scale], "lr": method.logit_scale_learning_rate})
    if method.optimizer == "sgd":
        return torch.optim.SGD(
            groups, momentum=method.momentum, nesterov=method.momentum > 0, weight_decay=method.weight_decay
        )
    return torch.optim.AdamW(groups, weight_decay=method.weight_decay)


def build_schedule(method: ResolvedMethod, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
    """The factor on the initial learning rates at each step."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, schedule_factor(method))


def schedule_factor(method: ResolvedMethod) -> Callable[[int], float]:
    """Step (from 0) to factor."""
    if method.schedule == "inverse":
        return lambda step: float((1 + INVERSE_GAMMA * step) ** -INVERSE_POWER)
    return lambda step: 0.5 * (1 + math.cos(math.pi * min(step / max(method.max_steps, 1), 1.0)))
