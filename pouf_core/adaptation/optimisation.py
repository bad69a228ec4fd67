"""Optimiser and learning-rate schedule of an adaptation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from pouf_core.contract.method import ResolvedMethod
from pouf_core.families.interface import ParameterGroup

INVERSE_GAMMA = 2e-4
INVERSE_POWER = 0.75


def build_optimizer(method: ResolvedMethod, groups: Sequence[ParameterGroup]) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW, over parameter groups with learning rates of their own."""
    rated = [{"params": group.parameters, "lr": group.learning_rate} for group in groups]
    if method.optimizer == "sgd":
        return torch.optim.SGD(
            rated, momentum=method.momentum, nesterov=method.momentum > 0, weight_decay=method.weight_decay
        )
    return torch.optim.AdamW(rated, weight_decay=method.weight_decay)


def build_schedule(method: ResolvedMethod, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
    """The factor on the initial learning rates at each step."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, schedule_factor(method))


def schedule_factor(method: ResolvedMethod) -> Callable[[int], float]:
    """Step (from 0) to factor."""
    if method.schedule == "inverse":
        return lambda step: float((1 + INVERSE_GAMMA * step) ** -INVERSE_POWER)
    last = max(method.max_steps, 1)
    if method.schedule == "linear":
        return lambda step: max(0.0, 1 - step / last)
    return lambda step: 0.5 * (1 + math.cos(math.pi * min(step / last, 1.0)))


def clip_gradients(method: ResolvedMethod, optimizer: torch.optim.Optimizer) -> None:
    """Shrink the gradients of all parameters together to the method's largest norm, where it has one."""
    if method.gradient_clip is None:
        return
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, method.gradient_clip)
