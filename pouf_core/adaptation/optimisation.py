"""Optimiser and learning-rate schedule of an adaptation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from pouf_core.contract.method import ResolvedMethod
from pouf_core.families.interface import ParameterGroup

INVERSE_GAMMA = 2e-4
INVERSE_POWER = 0.75
ADAM_EPSILON = 1e-8


def build_optimizer(method: ResolvedMethod, groups: Sequence[ParameterGroup]) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW, over parameter groups with learning rates of their own; fused on a GPU."""
    rated = [{"params": group.parameters, "lr": group.learning_rate} for group in groups]
    fused = _is_fused(method, groups)
    if method.optimizer == "sgd":
        return torch.optim.SGD(
            rated,
            momentum=method.momentum,
            nesterov=method.momentum > 0,
            weight_decay=method.weight_decay,
            fused=fused,
        )
    optimizer = torch.optim.AdamW(rated, eps=ADAM_EPSILON, weight_decay=method.weight_decay, fused=fused)
    if method.uncorrected_epsilon:
        optimizer.register_step_pre_hook(_leave_epsilon_uncorrected)
    return optimizer


def _is_fused(method: ResolvedMethod, groups: Sequence[ParameterGroup]) -> bool | None:
    """Whether one kernel updates all parameters; None leaves it to torch.

    A fused optimiser counts its steps on the device, where `_leave_epsilon_uncorrected` would have to wait for them.
    """
    parameters = [parameter for group in groups for parameter in group.parameters]
    on_gpu = all(parameter.device.type == "cuda" and parameter.is_floating_point() for parameter in parameters)
    return True if on_gpu and not method.uncorrected_epsilon else None


def _leave_epsilon_uncorrected(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Divide by √v + ε where torch divides by √(v / (1 - β₂ᵗ)) + ε: its ε becomes ε / √(1 - β₂ᵗ)."""
    done = next((int(state["step"]) for state in optimizer.state.values()), 0)
    for group in optimizer.param_groups:
        group["eps"] = ADAM_EPSILON / math.sqrt(1 - group["betas"][1] ** (done + 1))


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
