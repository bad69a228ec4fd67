"""What all items have in common is taken off, and what the data has more of is not."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pouf_core.closed_forms.calibration import residual_bias
from pouf_core.closed_forms.target import Target, target_of
from pouf_core.scoring import unit_length


def some_target(shares: tuple[float, ...], common: float, seed: int = 0) -> Target:
    """Items about their class's prototype, moved along `common` times the first one."""
    random = np.random.default_rng(seed)
    prototypes = random.normal(size=(len(shares), 32))
    labels = random.choice(len(shares), size=800, p=shares)
    features = prototypes[labels] + common * prototypes[0] + 0.8 * random.normal(size=(800, 32))
    return target_of(*(unit_length(torch.tensor(part, dtype=torch.float32)) for part in (features, prototypes)))


def lead(bias: Tensor) -> float:
    """How much the first class is ahead of the others."""
    return (bias[0] - bias[1:].mean()).item()


def test_a_class_that_all_items_lean_to_is_held_back() -> None:
    target = some_target((0.25,) * 4, common=0.6)
    bias = residual_bias(target, 0.5)
    mean_logits = target.scale * (target.features @ target.prototypes.T).mean(dim=0)
    assert lead(bias) < -0.25 * lead(mean_logits)
    assert abs(bias.sum().item()) < 1e-3


def test_a_class_that_most_items_are_of_is_left_alone() -> None:
    target = some_target((0.7, 0.1, 0.1, 0.1), common=0.0)
    mean_logits = target.scale * (target.features @ target.prototypes.T).mean(dim=0)
    assert abs(lead(residual_bias(target, 0.5))) < 0.1 * lead(0.5 * mean_logits)


def test_it_is_the_intercept_of_a_regression_on_the_expected_prototypes() -> None:
    target = some_target((0.4, 0.3, 0.2, 0.1), common=0.4)
    features, prototypes = target.features.double(), target.prototypes.double()
    expected = target.probabilities(slice(None)).double() @ prototypes
    centred = expected - expected.mean(dim=0)
    slope = ((features - features.mean(dim=0)) * centred).sum() / centred.square().sum()
    intercept = features.mean(dim=0) - slope * expected.mean(dim=0)
    bias = -0.3 * target.scale * prototypes @ intercept
    torch.testing.assert_close(residual_bias(target, 0.3).double(), bias - bias.mean(), rtol=1e-3, atol=1e-3)


def test_items_that_are_all_alike_do_not_break_it() -> None:
    features = unit_length(torch.ones(10, 8))
    bias = residual_bias(target_of(features, unit_length(torch.eye(3, 8))), 0.5)
    assert torch.isfinite(bias).all()
