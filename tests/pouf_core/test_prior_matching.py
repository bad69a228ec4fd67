"""Scores re-weighted to a class prior: the optimal-transport plan, as one bias a class."""

from __future__ import annotations

import warnings

import ot
import pytest
import torch
from torch import Tensor

from pouf_core import prior_matching
from pouf_core.prior_matching import CONVERGED, matching_bias


def leaning_logits(items: int, classes: int, scale: float, seed: int = 0) -> Tensor:
    """Logits of a model that is biased towards some classes."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(items, classes, generator=generator)
    return scale * (noise + 0.5 * torch.randn(classes, generator=generator))


def skewed(classes: int) -> Tensor:
    shares = torch.arange(1, classes + 1, dtype=torch.float64)
    return shares / shares.sum()


def matched(logits: Tensor, prior: Tensor) -> Tensor:
    """The predictions that a matched model gives, computed in single precision as it does."""
    bias, _ = matching_bias(logits, prior)
    return (logits + bias.float()).softmax(dim=1)


CASES = {
    "few classes": (200, 5, 2.0),
    "two classes": (60, 2, 1.0),
    "many classes": (400, 150, 3.0),
    "more classes than items": (30, 120, 3.0),
    "as sure as CLIP": (300, 6, 30.0),
    "one item": (1, 4, 1.0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("uniform", [True, False])
def test_predictions_have_the_prior_as_their_mean(case: str, uniform: bool) -> None:
    items, classes, scale = CASES[case]
    logits = leaning_logits(items, classes, scale)
    prior = torch.full((classes,), 1 / classes, dtype=torch.float64) if uniform else skewed(classes)
    before, after = logits.softmax(dim=1).mean(dim=0), matched(logits, prior).mean(dim=0).double()
    assert (before - prior).abs().max() > 1e-3
    assert (after - prior).abs().max() < 1e-4


def test_probabilities_too_small_for_single_precision_are_matched_too() -> None:
    logits = torch.tensor([[120.0, 0.0], [130.0, 0.0], [140.0, 0.0], [150.0, 0.0]])
    assert logits.softmax(dim=1)[:, 1].max() == 0
    after = matched(logits, torch.tensor([0.5, 0.5], dtype=torch.float64))
    assert torch.allclose(after.mean(dim=0), torch.full((2,), 0.5), atol=1e-4)
    assert after.argmax(dim=1).tolist() == [1, 1, 0, 0]


def test_it_is_the_transport_plan_with_rows_normalised() -> None:
    logits, prior = leaning_logits(40, 5, 2.0), skewed(5)
    weights = torch.full((40,), 1 / 40, dtype=torch.float64)
    cost = -logits.double().softmax(dim=1).log()
    plan = ot.sinkhorn(weights, prior, cost, 1.0, numItermax=10_000, stopThr=1e-12)
    expected = plan / plan.sum(dim=1, keepdim=True)
    assert torch.allclose(matched(logits, prior).double(), expected, atol=1e-5)


def test_scores_that_have_the_prior_already_are_left_alone() -> None:
    logits = leaning_logits(100, 4, 2.0)
    bias, misplaced = matching_bias(logits, logits.double().softmax(dim=1).mean(dim=0))
    assert bias.abs().max() < 1e-5
    assert misplaced < 1e-6


def test_biases_have_mean_zero_and_grow_with_the_prior() -> None:
    bias, _ = matching_bias(torch.zeros(10, 3), torch.tensor([0.2, 0.3, 0.5]))
    assert bias.mean() == pytest.approx(0, abs=1e-12)
    assert torch.allclose(bias.softmax(dim=0), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64), atol=1e-6)
    assert bias.dtype == torch.float64


def test_a_share_near_zero_is_matched() -> None:
    logits = leaning_logits(200, 3, 2.0)
    after = matched(logits, torch.tensor([0.5, 0.5 - 1e-9, 1e-9], dtype=torch.float64)).mean(dim=0)
    assert after[2] == pytest.approx(1e-9, rel=0.01)
    assert after[0] == pytest.approx(0.5, abs=1e-4)


def test_a_solver_that_was_stopped_early_says_how_far_it_is_without_a_python_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logits, prior = leaning_logits(20, 2, 60.0), torch.tensor([0.9, 0.1], dtype=torch.float64)
    monkeypatch.setattr(prior_matching, "_ITERATIONS", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bias, misplaced = matching_bias(logits, prior)
    left = (logits.double() + bias).softmax(dim=1).mean(dim=0) - prior
    assert misplaced == pytest.approx(float(left.abs().sum() / 2))
    assert misplaced > CONVERGED


def test_large_data_are_matched_by_their_first_items(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, prior = leaning_logits(50, 3, 2.0), skewed(3)
    monkeypatch.setattr(prior_matching, "MOST_ITEMS", 20)
    assert torch.equal(matching_bias(logits, prior)[0], matching_bias(logits[:20], prior)[0])
