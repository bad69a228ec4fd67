"""Optimal transport: POT's plans, the objectives its solvers minimise, and gradients that are the plans."""

from __future__ import annotations

from collections.abc import Callable

import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pouf_core import transport as module
from pouf_core.errors import PoufError
from pouf_core.objective import Transport, pouf_objective
from pouf_core.transport import CONVERGED
from tests.pouf_core.transports import OPTIMAL, chosen, random_prior, random_similarity

SOFT = {
    "sinkhorn": {"sinkhorn_regularization": 0.2},
    "unbalanced": {"unbalanced_regularization": 0.2, "unbalanced_marginal_penalty": 0.5},
    "partial": {"partial_mass": 0.6},
    "emd": {},
}


def gradient_of(transport: Transport, similarity: Tensor, prior: Tensor | None) -> Tensor:
    """What the value's gradient with respect to the cost is: minus the one with respect to the similarity."""
    similarity = similarity.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(transport(similarity, similarity, prior).value, similarity)
    return -gradient


def pots_own_plan(name: str, cost: Tensor, prior: Tensor) -> Tensor:
    items = cost.new_full((len(cost),), 1 / len(cost))
    if name == "sinkhorn":
        return ot.sinkhorn(items, prior, cost, 0.2, method="sinkhorn", numItermax=5000, stopThr=1e-12)
    if name == "emd":
        return ot.emd(items, prior, cost)
    if name == "partial":
        return ot.partial.partial_wasserstein(items, prior, cost, m=0.6)
    return ot.unbalanced.sinkhorn_unbalanced(
        items, prior, cost, 0.2, 0.5, method="sinkhorn", numItermax=5000, stopThr=1e-12
    )


@pytest.mark.parametrize("name", OPTIMAL)
@pytest.mark.parametrize(("batch", "classes"), [(12, 5), (4, 9), (1, 3), (7, 2)])
def test_gradient_with_respect_to_the_cost_is_pots_plan(name: str, batch: int, classes: int) -> None:
    similarity, prior = random_similarity(batch, classes), random_prior(classes)
    plan = gradient_of(chosen(name, **SOFT[name]), similarity, prior)
    expected = pots_own_plan(name, 1 - similarity, prior)
    assert torch.allclose(plan, expected, atol=1e-8)
    assert plan.sum() > 0.1


@pytest.mark.parametrize("name", OPTIMAL)
def test_value_is_the_objective_whose_slope_is_the_plan(name: str) -> None:
    transport = chosen(name, **SOFT[name])
    similarity, prior = random_similarity(4, 3), random_prior(3)
    plan = gradient_of(transport, similarity, prior)
    step = 1e-4
    for i in range(4):
        for k in range(3):
            nudge = torch.zeros_like(similarity)
            nudge[i, k] = step  # of the similarity, so the cost goes the other way
            below = transport(similarity + nudge, similarity, prior).value
            above = transport(similarity - nudge, similarity, prior).value
            assert (above - below).item() / (2 * step) == pytest.approx(plan[i, k].item(), abs=2e-7)


@pytest.mark.parametrize("name", ["sinkhorn", "unbalanced"])
def test_slope_of_the_plain_transport_cost_is_not_the_plan(name: str) -> None:
    transport = chosen(name, **SOFT[name])
    similarity, prior = random_similarity(6, 4), random_prior(4)
    plan = gradient_of(transport, similarity, prior)
    nudge = torch.zeros_like(similarity)
    nudge[0, 0] = 1e-4
    above, below = (transport(similarity + d, similarity, prior).parts["transport_cost"] for d in (-nudge, nudge))
    assert abs((above - below).item() / 2e-4 - plan[0, 0].item()) > 1e-3


def test_sinkhorn_value_is_the_regularised_cost_of_its_plan() -> None:
    similarity, prior = random_similarity(5, 3), random_prior(3)
    term = chosen("sinkhorn", sinkhorn_regularization=0.3)(similarity, similarity, prior)
    items = torch.full((5,), 0.2, dtype=torch.float64)
    plan = ot.sinkhorn(items, prior, 1 - similarity, 0.3, numItermax=5000, stopThr=1e-12)
    linear = ot.sinkhorn2(items, prior, 1 - similarity, 0.3, numItermax=5000, stopThr=1e-12)
    assert term.parts["transport_cost"].item() == pytest.approx(linear.item(), abs=1e-9)
    assert term.value.item() == pytest.approx(linear.item() + 0.3 * (plan * (plan.log() - 1)).sum().item(), abs=1e-9)


def test_unbalanced_value_is_smaller_than_at_any_other_plan() -> None:
    similarity, prior = random_similarity(5, 3), random_prior(3)
    cost = 1 - similarity
    transport = chosen("unbalanced", unbalanced_regularization=0.1, unbalanced_marginal_penalty=0.7)
    best = gradient_of(transport, similarity, prior)
    items = torch.full((5,), 0.2, dtype=torch.float64)

    def divergence(left: Tensor, right: Tensor) -> float:
        pairs = zip(left.flatten().tolist(), right.flatten().tolist(), strict=True)
        return sum(p * torch.log(torch.tensor(p / q, dtype=torch.float64)).item() - p + q for p, q in pairs)

    def objective(plan: Tensor) -> float:
        marginals = divergence(plan.sum(1), items) + divergence(plan.sum(0), prior)
        return (plan * cost).sum().item() + 0.1 * divergence(plan, items[:, None] * prior) + 0.7 * marginals

    value = transport(similarity, similarity, prior).value.item()
    assert value == pytest.approx(objective(best), abs=1e-10)
    generator = torch.Generator().manual_seed(0)
    for size in (0.01, 0.1, 0.5):
        noise = 1 + size * (2 * torch.rand(5, 3, generator=generator, dtype=torch.float64) - 1)
        assert objective(best * noise) > value


def test_plans_keep_their_marginals() -> None:
    similarity, prior = random_similarity(8, 5), random_prior(5)
    items = torch.full((8,), 1 / 8, dtype=torch.float64)
    for name in ("sinkhorn", "emd"):
        plan = gradient_of(chosen(name), similarity, prior)
        assert torch.allclose(plan.sum(0), prior, atol=1e-8)
        assert torch.allclose(plan.sum(1), items, atol=1e-8)
    plan = gradient_of(chosen("partial", partial_mass=0.3), similarity, prior)
    assert plan.sum().item() == pytest.approx(0.3)
    assert (plan.sum(0) <= prior + 1e-12).all()
    assert (plan.sum(1) <= items + 1e-12).all()


def test_without_a_prior_prototypes_weigh_alike() -> None:
    similarity = random_similarity(6, 4)
    uniform = torch.full((4,), 0.25, dtype=torch.float64)
    for name in OPTIMAL:
        plain, given_prior = (chosen(name)(similarity, similarity, prior).value for prior in (None, uniform))
        assert torch.allclose(plain, given_prior)


def test_partial_transport_of_all_mass_is_exact_transport() -> None:
    similarity, prior = random_similarity(6, 4), random_prior(4)
    whole = chosen("partial", partial_mass=1.0)(similarity, similarity, prior).value
    assert torch.allclose(whole, chosen("emd")(similarity, similarity, prior).value)


EXTREMES: list[Callable[[Tensor], Tensor]] = [
    lambda random: random,
    torch.sign,
    torch.zeros_like,
    torch.ones_like,
    lambda random: -torch.ones_like(random),
    lambda random: random[:, :1].expand_as(random),  # identical classes
    lambda random: 0.25 + 1e-7 * random,
    lambda random: random.sign() * (1 + 1e-6),  # cosines past 1 by rounding
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(OPTIMAL),
    st.integers(1, 12),
    st.integers(2, 40),
    st.integers(0, len(EXTREMES) - 1),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
    st.sampled_from([0.001, 0.01, 0.1, 1.0, 100.0]),
    st.sampled_from([0.01, 1.0, 1000.0]),
    st.booleans(),
)
def test_values_and_gradients_are_finite_whatever_comes(
    name: str, batch: int, classes: int, kind: int, dtype: torch.dtype, scale: float, penalty: float, skewed: bool
) -> None:
    parameters = {
        "sinkhorn": {"sinkhorn_regularization": scale},
        "unbalanced": {"unbalanced_regularization": max(scale, 0.01), "unbalanced_marginal_penalty": penalty},
        "partial": {"partial_mass": min(scale, 1.0)},
        "emd": {},
    }[name]
    similarity = EXTREMES[kind](random_similarity(batch, classes)).to(dtype).requires_grad_()
    prior = torch.full((classes,), 1e-12) if skewed else torch.full((classes,), 1 / classes)
    prior[0] += 1 - prior.sum()
    term = chosen(name, **parameters)(similarity, similarity, prior)
    (gradient,) = torch.autograd.grad(term.value, similarity)
    assert torch.isfinite(term.value)
    assert torch.isfinite(gradient).all()
    assert (gradient <= 0).all()
    assert gradient.sum() < 0 or name == "unbalanced"  # where all mass may be left behind


@pytest.mark.parametrize("name", OPTIMAL)
def test_single_precision_values_are_those_of_double_precision(name: str) -> None:
    similarity, prior = random_similarity(16, 6), random_prior(6)
    double = chosen(name)(similarity, similarity, prior)
    single = chosen(name)(similarity.float(), similarity.float(), prior.float())
    assert single.value.dtype == torch.float32
    assert single.value.item() == pytest.approx(double.value.item(), rel=1e-5)


def test_a_solver_that_runs_out_of_iterations_says_how_far_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    similarity, prior = random_similarity(30, 10), random_prior(10)
    for name, parameters in (
        ("sinkhorn", {"sinkhorn_regularization": 0.05}),
        ("unbalanced", {"unbalanced_regularization": 0.05, "unbalanced_marginal_penalty": 1}),
    ):
        transport = chosen(name, **parameters)
        monkeypatch.setattr(module, "MAX_ITERATIONS", 20000)
        assert transport(similarity, similarity, prior).error < 1e-6
        monkeypatch.setattr(module, "MAX_ITERATIONS", 3)
        stopped = transport(similarity, similarity, prior)
        assert stopped.error > CONVERGED
        assert stopped.parts["transport_error"].item() == pytest.approx(stopped.error)
        assert torch.isfinite(stopped.value)


@pytest.mark.parametrize("name", ["emd", "partial"])
def test_an_exact_solver_that_gives_up_is_an_error_with_a_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIVOTS", 1)
    similarity = random_similarity(30, 10)
    with pytest.warns(UserWarning, match="numItermax"), pytest.raises(PoufError) as caught:
        chosen(name)(similarity, similarity, None)
    assert caught.value.code == "transport_failed"


def test_loss_holds_the_transport_once_and_reports_its_parts() -> None:
    similarity, prior = random_similarity(6, 4), random_prior(4)
    transport = chosen("sinkhorn")
    objective = pouf_objective(
        similarity, similarity, similarity, transport=transport, transport_weight=2.0, mutual_information_weight=0.0,
        class_prior=prior,
    )  # fmt: skip
    assert torch.allclose(objective.loss, 2 * transport(similarity, similarity, prior).value)
    metrics = objective.metrics()
    assert {"transport", "transport_cost", "transport_error"} <= set(metrics)
    assert metrics["transport_cost"] > metrics["transport"]
    assert "target_to_prototype" not in metrics
