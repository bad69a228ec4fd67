"""The gradient of one batch, exact at any micro-batch size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pouf_core.adaptation.batch_encoding import BatchEncoder, MicroBatches, OnMicroBatch
from pouf_core.adaptation.features import Draw, FeatureSource
from pouf_core.adaptation.pseudo_labels import PseudoLabels
from pouf_core.contract.method import ResolvedMethod
from pouf_core.families.interface import Trainable
from pouf_core.objective import Objective, pouf_objective
from pouf_core.transport import build_transport


class BatchGradient:
    """Computes the objective of a batch and accumulates its gradient in the trained parameters.

    The objective couples all items of a batch, so a batch larger than a micro-batch is encoded twice: once without
    gradients for the objective and its gradient with respect to the features, and once more, micro-batch by
    micro-batch, to carry that gradient into the encoder (gradient caching, Gao et al., 2021).

    Args:
        learner: what is trained.
        source: where item features come from.
        method: the resolved method.
        on_micro_batch: called after every encoded micro-batch.
        pseudo_labels: of the items, where the method gives them a weight.
        batches: what encodes batches instead of this process alone.
    """

    def __init__(
        self,
        learner: Trainable,
        source: FeatureSource,
        method: ResolvedMethod,
        on_micro_batch: OnMicroBatch,
        pseudo_labels: PseudoLabels | None = None,
        batches: BatchEncoder | None = None,
    ) -> None:
        self._learner = learner
        self._source = source
        self._method = method
        self._on_micro_batch = on_micro_batch
        self._pseudo_labels = pseudo_labels
        self._alone = batches is None
        self._batches: BatchEncoder = batches or MicroBatches(source, on_micro_batch)
        self._prior = _weighting_prior(method)
        self._transport = build_transport(method)

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """Be told what this step and the next one draw, before the gradient is asked for."""
        self._batches.expect(draws, following)

    def __call__(self, draws: Sequence[Draw], running_marginal: Tensor | None, micro_batch_size: int) -> Objective:
        """Objective of a batch; gradients are added to the parameters'.

        Args:
            draws: the batch.
            running_marginal: [K] or None, see `pouf_objective`.
            micro_batch_size: items encoded at once.
        """
        if not self._learner.trains_item_encoder or (self._alone and micro_batch_size >= len(draws)):
            objective = self._objective(self._source.features(draws), running_marginal, draws)
            objective.loss.backward()
            self._on_micro_batch()
            return objective
        features = self._batches.features(draws, micro_batch_size).requires_grad_(True)
        objective = self._objective(features, running_marginal, draws)
        objective.loss.backward()
        assert features.grad is not None
        self._batches.backward(draws, features.grad, micro_batch_size)
        return objective

    def _objective(self, features: Tensor, running_marginal: Tensor | None, draws: Sequence[Draw]) -> Objective:
        classifier = self._learner.classifier()
        scores = classifier(features)
        if self._prior is not None:
            self._prior = self._prior.to(scores.similarity)
        objective = pouf_objective(
            scores.similarity,
            scores.plan_logits,
            scores.class_logits,
            transport=self._transport,
            transport_weight=self._method.transport_weight,
            mutual_information_weight=self._method.mutual_information_weight,
            class_prior=self._prior,
            use_marginal=self._method.class_prior_source != "none",
            running_marginal=running_marginal,
            marginal_momentum=self._method.marginal_momentum,
        )
        if self._pseudo_labels is not None:
            cross_entropy = self._pseudo_labels.cross_entropy(scores.class_logits, [index for index, _ in draws])
            loss = objective.loss + self._method.pseudo_label_weight * cross_entropy
            objective = replace(objective, loss=loss, cross_entropy=cross_entropy)
        penalty = self._learner.penalty(classifier)
        return objective if penalty is None else replace(objective, loss=objective.loss + penalty)


def _weighting_prior(method: ResolvedMethod) -> Tensor | None:
    """The prior as a tensor; None for uniform, whose formulas are the paper's own."""
    if method.class_prior is None or method.class_prior_source == "uniform":
        return None
    return torch.tensor(method.class_prior, dtype=torch.float64)
