"""Optimal transport between target features and text prototypes, solved by POT (Flamary et al., JMLR 2021).

Every transport here is one term of the loss, where conditional transport is two. POT solves for the plan P [B, K]
given the cost C = 1 - S, the features' marginal a (1/B each) and the prototypes' marginal b (the class prior). The loss
is the objective that the solver minimises, evaluated at its plan, which is held fixed: by the envelope theorem the
gradient with respect to C is then the plan itself. Plans are solved in float64 whatever the type of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pouf_core.contract.method import ResolvedMethod
from pouf_core.errors import PoufError
from pouf_core.objective import Transport, TransportTerm, conditional_transport
from pouf_core.scoring import single_or_double

STOP_AT = 1e-9  # an iterative solver's own measure of what is left to do
MAX_ITERATIONS = 2000
MAX_PIVOTS = 10_000_000  # of the exact solvers; POT's default is too few for large batches
CONVERGED = 1e-4
"""Largest `Plan.error` that counts as converged."""


@dataclass(frozen=True)
class Plan:
    """A transport plan and what its solver minimised.

    Attributes:
        mass: [B, K] mass moved from each item to each prototype, float64, without gradients.
        regularisation: the part of the minimised objective that does not depend on the cost, a scalar; the whole is
            <mass, C> + regularisation.
        error: sum of the absolute differences between the plan's marginals and those an optimal plan would have, as
            a share of its mass; 0 for exact solvers.
    """

    mass: Tensor
    regularisation: Tensor
    error: float = 0.0


Solver = Callable[[Tensor, Tensor, Tensor], Plan]
"""Cost [B, K], features' marginal [B] and prototypes' marginal [K], all float64, to a plan."""


def optimal_transport(solver: Solver) -> Transport:
    """The transport term whose plan a solver gives.

    Its value is the full minimised objective; `transport_cost` = <P, C> and `transport_error` are reported beside it.
    """

    def transport(similarity: Tensor, plan_logits: Tensor, class_prior: Tensor | None) -> TransportTerm:
        cost = 1 - single_or_double(similarity)
        plan = _solve(solver, cost.detach().double(), class_prior)
        linear = (plan.mass.to(cost.dtype) * cost).sum()
        parts = {"transport_cost": linear.detach(), "transport_error": torch.tensor(plan.error)}
        return TransportTerm(linear + plan.regularisation.to(cost.dtype), parts, plan.error)

    return transport


def build_transport(method: ResolvedMethod) -> Transport:
    """The transport that a resolved method names, with its parameters."""
    if method.transport == "conditional":
        return conditional_transport
    return optimal_transport(_build_solver(method))


def _build_solver(method: ResolvedMethod) -> Solver:
    if method.transport == "sinkhorn":
        return partial(solve_sinkhorn, regularization=_given(method.sinkhorn_regularization))
    if method.transport == "unbalanced":
        return partial(
            solve_unbalanced,
            regularization=_given(method.unbalanced_regularization),
            marginal_penalty=_given(method.unbalanced_marginal_penalty),
        )
    if method.transport == "partial":
        return partial(solve_partial, mass=_given(method.partial_mass))
    return solve_emd


def _given(value: float | None) -> float:
    if value is None:
        raise ValueError("A resolved method has a number for every parameter of its transport.")
    return value


def _solve(solver: Solver, cost: Tensor, class_prior: Tensor | None) -> Plan:
    batch, classes = cost.shape
    features = cost.new_full((batch,), 1 / batch)
    prototypes = cost.new_full((classes,), 1 / classes) if class_prior is None else class_prior.to(cost)
    with torch.no_grad():
        return solver(cost, features, prototypes / prototypes.sum())


def solve_sinkhorn(cost: Tensor, features: Tensor, prototypes: Tensor, *, regularization: float) -> Plan:
    """Entropic optimal transport by `ot.bregman.sinkhorn_log`, in the log domain.

    Minimises <P, C> + regularization x sum P (log P - 1) over plans with both marginals (Cuturi, NeurIPS 2013).

    Args:
        cost: [B, K].
        features, prototypes: [B] and [K], each sums to 1.
        regularization: in units of the cost, above 0.
    """
    from ot.bregman import sinkhorn_log

    mass, _ = sinkhorn_log(
        features,
        prototypes,
        cost,
        regularization,
        numItermax=MAX_ITERATIONS,
        stopThr=STOP_AT,
        log=True,
        warn=False,  # `Plan.error` says it
    )
    error = _distance(mass.sum(1), features) + _distance(mass.sum(0), prototypes)
    return Plan(mass, regularization * (torch.special.xlogy(mass, mass) - mass).sum(), error)


def solve_unbalanced(
    cost: Tensor, features: Tensor, prototypes: Tensor, *, regularization: float, marginal_penalty: float
) -> Plan:
    """Unbalanced transport by `ot.unbalanced`, translation-invariant Sinkhorn (Sejourne et al., AISTATS 2022).

    Minimises <P, C> + regularization x KL(P | a b^T) + marginal_penalty x (KL(P 1 | a) + KL(P^T 1 | b)) over
    P >= 0, where KL(p | q) = sum p log(p / q) - p + q.

    Args:
        cost: [B, K], between 0 and 2.
        features, prototypes: [B] and [K], each sums to 1.
        regularization: in units of the cost, at least 0.01.
        marginal_penalty: in units of the cost, above 0.
    """
    from ot.unbalanced import sinkhorn_unbalanced

    mass, log = sinkhorn_unbalanced(
        features,
        prototypes,
        cost,
        regularization,
        marginal_penalty,
        method="sinkhorn_translation_invariant",
        numItermax=MAX_ITERATIONS,
        stopThr=STOP_AT,
        log=True,
    )
    rows, columns = mass.sum(1), mass.sum(0)
    exponent = -regularization / marginal_penalty  # an optimal plan's marginals follow from its potentials
    wanted_rows, wanted_columns = (
        marginal * (exponent * potential).exp()
        for marginal, potential in ((features, log["logu"]), (prototypes, log["logv"]))
    )
    misplaced = _distance(rows, wanted_rows) + _distance(columns, wanted_columns)
    penalties = _divergence(rows, features) + _divergence(columns, prototypes)
    regularisation = regularization * _divergence(mass, features[:, None] * prototypes) + marginal_penalty * penalties
    return Plan(mass, regularisation, misplaced / max(float(mass.sum()), torch.finfo(mass.dtype).tiny))


def solve_emd(cost: Tensor, features: Tensor, prototypes: Tensor) -> Plan:
    """Exact optimal transport by `ot.emd`, a network simplex in C++ on the CPU.

    Minimises <P, C> over plans with both marginals.

    Args:
        cost: [B, K] on any device.
        features, prototypes: [B] and [K], each sums to 1.

    Raises:
        PoufError: `transport_failed` when the solver gives up.
    """
    from ot import emd

    mass, log = emd(features.cpu(), prototypes.cpu(), cost.cpu(), numItermax=MAX_PIVOTS, log=True)
    if log["warning"] is not None:
        raise _failed("emd", log["warning"])
    return Plan(mass.to(cost), cost.new_zeros(()))


def solve_partial(cost: Tensor, features: Tensor, prototypes: Tensor, *, mass: float) -> Plan:
    """Exact partial transport by `ot.partial.partial_wasserstein`, on the CPU.

    Minimises <P, C> over plans that move a given mass within both marginals (Chapel et al., NeurIPS 2020).

    Args:
        cost: [B, K] on any device.
        features, prototypes: [B] and [K], each sums to 1.
        mass: share that is moved, in (0, 1].

    Raises:
        PoufError: `transport_failed` when the solver gives up.
    """
    from ot.partial import partial_wasserstein

    features_mass, prototypes_mass = float(features.sum()), float(prototypes.sum())
    moved = min(mass, features_mass, prototypes_mass)  # POT refuses 1 where a sum is 1 - 1e-16
    positive = cost.cpu() - cost.min().cpu() + 1  # same plan; POT takes twice the largest cost for prohibitive
    try:
        plan = partial_wasserstein(features.cpu(), prototypes.cpu(), positive, m=moved, numItermax=MAX_PIVOTS)
    except ValueError as error:
        raise _failed("partial", str(error)) from error
    return Plan(plan.to(cost), cost.new_zeros(()))


def _distance(left: Tensor, right: Tensor) -> float:
    return float((left - right).abs().sum())


def _divergence(left: Tensor, right: Tensor) -> Tensor:
    """Generalised Kullback-Leibler divergence of unnormalised masses."""
    difference: Tensor = torch.special.xlogy(left, left / right) - left + right
    return difference.sum()


def _failed(transport: str, reason: Any) -> PoufError:
    return PoufError("transport_failed", f"Transport `{transport}` found no plan: {reason}.")
