"""The POUF objective as pure functions of three B x K matrices (Tanwisuth et al., ICML 2023, section 3).

Similarity S, plan logits P and class logits L come from a base model of any family; see `docs/method.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.scoring import single_or_double

CONDITIONAL_EPSILON = 1e-5
MARGINAL_EPSILON = 1e-6


@dataclass(frozen=True)
class TransportTerm:
    """The transport between the features of a batch and the prototypes.

    Attributes:
        value: what enters the loss, a scalar that carries gradients.
        parts: named scalars that are reported beside it.
        error: share of the mass that a solver left in the wrong place; 0 where nothing is solved approximately.
    """

    value: Tensor
    parts: Mapping[str, Tensor]
    error: float = 0.0


Transport = Callable[[Tensor, Tensor, Tensor | None], TransportTerm]
"""Similarity [B, K], plan logits [B, K] and class prior [K] (None for uniform) to the transport term."""


@dataclass(frozen=True)
class Objective:
    """The loss of one batch and its parts, scalars that carry gradients.

    Attributes:
        loss: what is minimised.
        transport: the transport term.
        conditional_entropy: H(Y|X), in nats.
        marginal_entropy: H(Y) of the marginal that entered the loss, in nats.
        marginal: [K] the batch's mean class probabilities, detached.
        cross_entropy: to pseudo-labels, in nats; None without them.
    """

    loss: Tensor
    transport: TransportTerm
    conditional_entropy: Tensor
    marginal_entropy: Tensor
    marginal: Tensor
    cross_entropy: Tensor | None = None

    def parts(self) -> dict[str, Tensor]:
        """Everything that is reported, by name: scalars."""
        labelled = {} if self.cross_entropy is None else {"cross_entropy": self.cross_entropy}
        return {
            "loss": self.loss,
            "transport": self.transport.value,
            **self.transport.parts,
            "conditional_entropy": self.conditional_entropy,
            "marginal_entropy": self.marginal_entropy,
            **labelled,
        }

    def metrics(self) -> dict[str, float]:
        """The parts as plain numbers; waits for the device that computes them."""
        return {name: part.item() for name, part in self.parts().items()}


def transport_cost(similarity: Tensor, plan_logits: Tensor, class_prior: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Conditional transport between target features and text prototypes, in both directions.

    Gradients flow through the plan as well as the cost.

    Args:
        similarity: [B, K] cosines S in [-1, 1]; the cost is 1 - S. Half precision is computed in float32.
        plan_logits: [B, K] logits P of the transport plan.
        class_prior: [K] positive weights that sum to 1, in place of 1/K for prototype to target.

    Returns:
        target to prototype: mean over items of the plan's expected cost (softmax over classes);
        prototype to target: (weighted) mean over classes of the plan's expected cost (softmax over the batch).
    """
    similarity, plan_logits = single_or_double(similarity), single_or_double(plan_logits)
    cost = 1 - similarity
    target_to_prototype = (cost * plan_logits.softmax(dim=1)).sum(dim=1).mean()
    by_class = (cost * plan_logits.softmax(dim=0)).sum(dim=0)
    prototype_to_target = by_class.mean() if class_prior is None else (class_prior * by_class).sum()
    return target_to_prototype, prototype_to_target


def conditional_transport(similarity: Tensor, plan_logits: Tensor, class_prior: Tensor | None) -> TransportTerm:
    """The sum of both directions of `transport_cost`, whose arguments it takes: the paper's transport."""
    forth, back = transport_cost(similarity, plan_logits, class_prior)
    return TransportTerm(forth + back, {"target_to_prototype": forth, "prototype_to_target": back})


def conditional_entropy(probabilities: Tensor) -> Tensor:
    """H(Y|X) in nats of class probabilities [B, K], with the reference's epsilon of 1e-5."""
    return -(probabilities * (probabilities + CONDITIONAL_EPSILON).log()).sum(dim=1).mean()


def marginal_entropy(marginal: Tensor, class_prior: Tensor | None = None) -> Tensor:
    """H(Y) in nats of a marginal [K], with the reference's epsilon of 1e-6.

    With a class prior pi it is -sum_k q_k [log(q_k + 1e-6) - log(K pi_k)], largest where the marginal equals the
    prior, and the plain entropy, exactly, when the prior is uniform.
    """
    terms = (marginal + MARGINAL_EPSILON).log()
    if class_prior is not None:
        terms = terms - (len(class_prior) * class_prior).log()
    return -(marginal * terms).sum()


def mutual_information_loss(class_logits: Tensor, class_prior: Tensor | None = None) -> Tensor:
    """H(Y|X) - H(Y) of class logits [B, K], in nats; its minimum is -log K. Half precision is computed in float32."""
    probabilities = single_or_double(class_logits).softmax(dim=1)
    return conditional_entropy(probabilities) - marginal_entropy(probabilities.mean(dim=0), class_prior)


def pouf_objective(
    similarity: Tensor,
    plan_logits: Tensor,
    class_logits: Tensor,
    *,
    transport: Transport = conditional_transport,
    transport_weight: float = 1.0,
    mutual_information_weight: float = 0.3,
    class_prior: Tensor | None = None,
    use_marginal: bool = True,
    running_marginal: Tensor | None = None,
    marginal_momentum: float = 0.0,
) -> Objective:
    """The whole loss: transport_weight x transport + mutual_information_weight x (H(Y|X) - H(Y)).

    Args:
        similarity, plan_logits, class_logits: [B, K]; half precision is computed in float32.
        transport: the paper's conditional transport, or one of `pouf_core.transport`.
        class_prior: [K], or None for uniform.
        use_marginal: False (prior `none`) leaves the marginal term out.
        running_marginal: [K] average of earlier batches' marginals. The marginal term is evaluated at
            momentum x running + (1 - momentum) x batch, with the gradient of the batch's own marginal, so that
            a batch smaller than K is not pushed to cover all classes by itself.
        marginal_momentum: in [0, 1); 0 uses the batch alone, as the paper does.
    """
    term = transport(similarity, plan_logits, class_prior)
    probabilities = single_or_double(class_logits).softmax(dim=1)
    entropy = conditional_entropy(probabilities)
    batch_marginal = probabilities.mean(dim=0)
    marginal = batch_marginal
    if running_marginal is not None and marginal_momentum > 0:
        marginal = batch_marginal + marginal_momentum * (running_marginal - batch_marginal).detach()
    spread = marginal_entropy(marginal, class_prior)
    information = entropy - spread if use_marginal else entropy
    loss = transport_weight * term.value + mutual_information_weight * information
    return Objective(loss, term, entropy, spread, batch_marginal.detach())


def updated_marginal(running: Tensor | None, batch: Tensor, momentum: float) -> Tensor:
    """The running marginal [K] after one more batch with its own [K]; the first batch sets it."""
    return batch if running is None else torch.lerp(batch, running, momentum)
