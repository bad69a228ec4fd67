"""The objective and its gradients against the loops of `tests/reference`, on ordinary and on extreme matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

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
from tests.reference import objective as reference


def random_matrices(batch: int, classes: int, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(batch, classes, generator=generator, dtype=torch.float64) - 1
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return similarity, logits


def random_prior(classes: int, seed: int) -> Tensor:
    weights = torch.rand(classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.01
    return weights / weights.sum()


EXACT = 1e-10
LARGEST = torch.finfo(torch.float32).max
EXTREMES: dict[str, Callable[[Tensor], Tensor]] = {
    "random": lambda logits: logits,
    "nearly equal": lambda logits: 1e-9 * logits,
    "all equal": torch.zeros_like,
    "identical classes": lambda logits: logits[:, :1].expand_as(logits).contiguous(),
    "identical items": lambda logits: logits[:1].expand_as(logits).contiguous(),
    "sharp": lambda logits: 100 * logits,
    "saturated": lambda logits: 1e6 * logits,
    "as large as numbers get": lambda logits: LARGEST * logits.sign(),
}
shapes = st.one_of(
    st.tuples(st.integers(1, 8), st.integers(2, 12)),
    st.tuples(st.just(1), st.integers(2, 40)),
    st.tuples(st.integers(1, 40), st.just(2)),
    st.tuples(st.integers(1, 3), st.integers(100, 300)),
)
kinds = st.sampled_from(sorted(EXTREMES))


def extreme_matrices(shape: tuple[int, int], kind: str, seed: int) -> tuple[Tensor, Tensor]:
    similarity, logits = random_matrices(*shape, 3.0, seed)
    if kind.startswith("identical"):
        similarity = EXTREMES[kind](similarity)
    return similarity.requires_grad_(), EXTREMES[kind](logits).requires_grad_()


def assert_equal(
    value: Tensor, inputs: Sequence[Tensor], expected: float, gradients: Sequence[reference.Matrix]
) -> None:
    assert value.item() == pytest.approx(expected, abs=EXACT)
    for actual, gradient in zip(torch.autograd.grad(value, inputs, retain_graph=True), gradients, strict=True):
        assert torch.allclose(actual, torch.tensor(gradient, dtype=torch.float64), rtol=0, atol=EXACT)


@settings(max_examples=80, deadline=None)
@given(shapes, kinds, st.integers(0, 9999), st.booleans())
def test_transport_and_its_gradients_equal_the_loop_reference(
    shape: tuple[int, int], kind: str, seed: int, weighted: bool
) -> None:
    similarity, logits = extreme_matrices(shape, kind, seed)
    prior = random_prior(shape[1], seed) if weighted else None
    forth, back = transport_cost(similarity, logits, prior)
    matrices = similarity.tolist(), logits.tolist()
    value, *gradients = reference.target_to_prototype(*matrices)
    assert_equal(forth, (similarity, logits), value, gradients)
    value, *gradients = reference.prototype_to_target(*matrices, None if prior is None else prior.tolist())
    assert_equal(back, (similarity, logits), value, gradients)


@settings(max_examples=80, deadline=None)
@given(shapes, kinds, st.integers(0, 9999), st.booleans())
def test_mutual_information_and_its_gradient_equal_the_loop_reference(
    shape: tuple[int, int], kind: str, seed: int, weighted: bool
) -> None:
    _, logits = extreme_matrices(shape, kind, seed)
    prior = random_prior(shape[1], seed) if weighted else None
    value, gradient = reference.mutual_information_loss(logits.tolist(), None if prior is None else prior.tolist())
    assert_equal(mutual_information_loss(logits, prior), (logits,), value, [gradient])


@settings(max_examples=20, deadline=None)
@given(shapes, kinds, st.integers(0, 9999))
def test_whole_loss_and_its_gradients_equal_the_loop_reference(shape: tuple[int, int], kind: str, seed: int) -> None:
    similarity, logits = extreme_matrices(shape, kind, seed)
    value, *gradients = reference.loss(similarity.tolist(), logits.tolist(), 0.3)
    assert_equal(pouf_objective(similarity, logits, logits).loss, (similarity, logits), value, gradients)


@pytest.mark.parametrize(
    ("batch", "classes", "kind"),
    [
        (1, 2, "random"),
        (4, 3, "random"),
        (2, 9, "random"),
        (1, 6, "identical classes"),
        (3, 4, "all equal"),
        (5, 2, "identical items"),
        (3, 3, "sharp"),
    ],
)
def test_gradients_equal_finite_differences(batch: int, classes: int, kind: str) -> None:
    inputs = similarity, logits = extreme_matrices((batch, classes), kind, seed=1)
    for prior in (None, random_prior(classes, seed=2)):
        assert torch.autograd.gradcheck(lambda s, p, prior=prior: transport_cost(s, p, prior), (similarity, logits))
        assert torch.autograd.gradcheck(lambda p, prior=prior: mutual_information_loss(p, prior), (logits,))
    assert torch.autograd.gradcheck(lambda s, p: pouf_objective(s, p, p).loss, inputs)


@settings(max_examples=80, deadline=None)
@given(shapes, kinds, st.integers(0, 9999), st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
def test_values_and_gradients_stay_finite_at_any_scale(
    shape: tuple[int, int], kind: str, seed: int, dtype: torch.dtype
) -> None:
    largest = torch.finfo(dtype).max
    similarity, logits = (
        matrix.detach().clamp(-largest, largest).to(dtype).requires_grad_()
        for matrix in extreme_matrices(shape, kind, seed)
    )
    loss = pouf_objective(similarity, logits, logits).loss
    for gradient in torch.autograd.grad(loss, (similarity, logits)):
        assert torch.isfinite(gradient).all()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single_precision(dtype: torch.dtype) -> None:
    similarity, logits = (matrix.to(dtype) for matrix in random_matrices(6, 5, 20.0, seed=3))
    half = pouf_objective(similarity, logits, logits).loss
    single = pouf_objective(similarity.float(), logits.float(), logits.float()).loss
    assert half.dtype == torch.float32
    assert torch.equal(half, single)
    assert torch.equal(sum(transport_cost(similarity, logits)), sum(transport_cost(similarity.float(), logits.float())))
    assert torch.equal(mutual_information_loss(logits), mutual_information_loss(logits.float()))


def test_single_precision_agrees_with_double_precision() -> None:
    for kind in ("random", "sharp", "identical classes"):
        similarity, logits = extreme_matrices((96, 21), kind, seed=4)
        double = pouf_objective(similarity, logits, logits).loss
        single = pouf_objective(similarity.float(), logits.float(), logits.float()).loss
        assert single.item() == pytest.approx(double.item(), abs=1e-5)


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
