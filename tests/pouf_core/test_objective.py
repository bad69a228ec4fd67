"""The objective against a reference written with loops over Python floats."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pouf_core.objective import (
    conditional_entropy,
    marginal_entropy,
    mutual_information_loss,
    pouf_objective,
    transport_cost,
    updated_marginal,
)


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    return [weight / math.fsum(weights) for weight in weights]


def reference_transport(
    similarity: list[list[float]], logits: list[list[float]], prior: list[float] | None
) -> tuple[float, float]:
    batch, classes = len(similarity), len(similarity[0])
    forward = 0.0
    for i in range(batch):
        plan = softmax(logits[i])
        forward += sum((1 - similarity[i][k]) * plan[k] for k in range(classes)) / batch
    backward = 0.0
    for k in range(classes):
        plan = softmax([logits[i][k] for i in range(batch)])
        weight = 1 / classes if prior is None else prior[k]
        backward += weight * sum((1 - similarity[i][k]) * plan[i] for i in range(batch))
    return forward, backward


def reference_mutual_information(logits: list[list[float]], prior: list[float] | None) -> float:
    batch, classes = len(logits), len(logits[0])
    rows = [softmax(row) for row in logits]
    conditional = sum(-p * math.log(p + 1e-5) for row in rows for p in row) / batch
    marginal = [sum(row[k] for row in rows) / batch for k in range(classes)]
    shares = prior or [1 / classes] * classes
    spread = -sum(q * (math.log(q + 1e-6) - math.log(classes * pi)) for q, pi in zip(marginal, shares, strict=True))
    return conditional - spread


def random_matrices(batch: int, classes: int, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(batch, classes, generator=generator, dtype=torch.float64) - 1
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return similarity, logits


def random_prior(classes: int, seed: int) -> Tensor:
    weights = torch.rand(classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.01
    return weights / weights.sum()


shapes = st.tuples(
    st.integers(1, 7), st.integers(2, 30), st.sampled_from([0.0, 0.1, 1.0, 30.0, 1e3]), st.integers(0, 9999)
)


@settings(max_examples=60, deadline=None)
@given(shapes, st.booleans())
def test_transport_equals_the_loop_reference(shape: tuple[int, int, float, int], weighted: bool) -> None:
    batch, classes, scale, seed = shape
    similarity, logits = random_matrices(batch, classes, scale, seed)
    prior = random_prior(classes, seed) if weighted else None
    expected = reference_transport(similarity.tolist(), logits.tolist(), prior.tolist() if weighted else None)
    actual = transport_cost(similarity, logits, prior)
    assert actual[0].item() == pytest.approx(expected[0], abs=1e-10)
    assert actual[1].item() == pytest.approx(expected[1], abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(shapes, st.booleans())
def test_mutual_information_equals_the_loop_reference(shape: tuple[int, int, float, int], weighted: bool) -> None:
    batch, classes, scale, seed = shape
    _, logits = random_matrices(batch, classes, scale, seed)
    prior = random_prior(classes, seed) if weighted else None
    expected = reference_mutual_information(logits.tolist(), prior.tolist() if weighted else None)
    assert mutual_information_loss(logits, prior).item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("batch", "classes", "scale"), [(1, 2, 1.0), (4, 3, 1.0), (2, 9, 5.0), (3, 4, 0.0)])
def test_gradients_equal_finite_differences(batch: int, classes: int, scale: float) -> None:
    similarity, logits = random_matrices(batch, classes, scale, seed=1)
    prior = random_prior(classes, seed=2)
    inputs = (similarity.requires_grad_(), logits.requires_grad_())
    assert torch.autograd.gradcheck(lambda s, p: transport_cost(s, p, prior), inputs)
    assert torch.autograd.gradcheck(lambda p: mutual_information_loss(p, prior), (logits,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4, 1e30])
def test_values_and_gradients_stay_finite_at_any_scale(dtype: torch.dtype, scale: float) -> None:
    similarity, logits = random_matrices(5, 8, 1.0, seed=3)
    similarity = similarity.to(dtype).requires_grad_()
    logits = (logits * scale).to(dtype).requires_grad_()
    loss = sum(transport_cost(similarity, logits)) + mutual_information_loss(logits)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(similarity.grad).all()
    assert torch.isfinite(logits.grad).all()


def test_mutual_information_of_confident_balanced_predictions_is_minus_log_k() -> None:
    logits = 100 * torch.eye(4, dtype=torch.float64)
    assert mutual_information_loss(logits).item() == pytest.approx(-math.log(4), abs=1e-4)


def test_uniform_prior_gives_the_plain_formulas() -> None:
    similarity, logits = random_matrices(6, 5, 3.0, seed=4)
    uniform = torch.full((5,), 0.2, dtype=torch.float64)
    plain, weighted = transport_cost(similarity, logits), transport_cost(similarity, logits, uniform)
    assert torch.allclose(torch.stack(plain), torch.stack(weighted))
    assert torch.allclose(mutual_information_loss(logits), mutual_information_loss(logits, uniform), atol=1e-15)


def test_marginal_term_with_a_prior_is_best_where_the_marginal_equals_it() -> None:
    prior = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    at_prior = marginal_entropy(prior, prior)
    for other in ([0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.9, 0.05, 0.05]):
        assert marginal_entropy(torch.tensor(other, dtype=torch.float64), prior) < at_prior


def test_whole_loss_is_the_weighted_sum_of_its_parts() -> None:
    similarity, logits = random_matrices(6, 5, 3.0, seed=5)
    objective = pouf_objective(similarity, logits, logits, transport_weight=2.0, mutual_information_weight=0.3)
    expected = 2 * sum(transport_cost(similarity, logits)) + 0.3 * mutual_information_loss(logits)
    assert torch.allclose(objective.loss, expected)


def test_without_marginal_term_only_the_conditional_entropy_remains() -> None:
    similarity, logits = random_matrices(6, 5, 3.0, seed=6)
    objective = pouf_objective(similarity, logits, logits, transport_weight=0.0, use_marginal=False)
    assert torch.allclose(objective.loss, 0.3 * conditional_entropy(logits.softmax(dim=1)))


def test_running_marginal_sets_the_value_and_keeps_the_batch_gradient() -> None:
    similarity, logits = random_matrices(2, 4, 2.0, seed=7)
    logits.requires_grad_()
    running = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    objective = pouf_objective(
        similarity, logits, logits, transport_weight=0.0, mutual_information_weight=1.0,
        running_marginal=running, marginal_momentum=0.9,
    )  # fmt: skip
    batch = logits.softmax(dim=1).mean(dim=0)
    mixed = (0.9 * running + 0.1 * batch).detach()
    assert torch.allclose(objective.marginal_entropy, marginal_entropy(mixed))
    (gradient,) = torch.autograd.grad(objective.marginal_entropy, logits)
    slope = -((mixed + 1e-6).log() + mixed / (mixed + 1e-6))
    (expected,) = torch.autograd.grad((slope * logits.softmax(dim=1).mean(dim=0)).sum(), logits)
    assert torch.allclose(gradient, expected)


def test_first_batch_sets_the_running_marginal() -> None:
    first, second = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    running = updated_marginal(None, first, 0.9)
    assert torch.equal(running, first)
    assert torch.allclose(updated_marginal(running, second, 0.9), torch.tensor([0.55, 0.45]))
