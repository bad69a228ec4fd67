"""The published recipe for masked language models, and one step of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pouf_core.language.batch import Batch
from pouf_core.language.model import LanguageModel
from pouf_core.language.scores import LabelWords, score
from pouf_core.objective import Objective, pouf_objective


@dataclass(frozen=True)
class Recipe:
    """AdamW with a rate that falls linearly to 0 at `max_steps`, and gradients clipped to a total norm."""

    learning_rate: float
    weight_decay: float
    max_steps: int
    gradient_clip: float
    batch_size: int
    transport_weight: float
    mutual_information_weight: float


PAPER = Recipe(
    learning_rate=1e-5,
    weight_decay=0.0,
    max_steps=1000,
    gradient_clip=1.0,
    batch_size=2,
    transport_weight=1.0,
    mutual_information_weight=0.6,
)


class LanguageTraining:
    """Trains parameters of a language model on batches without labels.

    Args:
        model: the model, in evaluation mode: dropout is off.
        words: the label words.
        parameters: what is trained.
        recipe: how.
        context: [N, width] context vectors that are among the parameters, or None.
        word_bias: [K] see `score`; None, as in the paper, keeps it.
    """

    def __init__(
        self,
        model: LanguageModel,
        words: LabelWords,
        parameters: Iterable[nn.Parameter],
        recipe: Recipe = PAPER,
        *,
        context: nn.Parameter | None = None,
        word_bias: Tensor | None = None,
    ) -> None:
        self._model, self._words, self._recipe = model, words, recipe
        self._context, self._word_bias = context, word_bias
        self._parameters = list(parameters)
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: max(0.0, 1 - step / recipe.max_steps)
        )

    def step(self, batch: Batch) -> Objective:
        """One optimiser step on the objective of a batch; gives the objective before it."""
        self._optimizer.zero_grad(set_to_none=True)
        objective = self.objective(batch)
        objective.loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, self._recipe.gradient_clip)
        self._optimizer.step()
        self._schedule.step()
        return objective

    def objective(self, batch: Batch) -> Objective:
        """The objective of a batch under the present parameters."""
        scores = score(self._model.features(batch, self._context), self._model.head, self._words, self._word_bias)
        return pouf_objective(
            scores.similarity,
            scores.plan_logits,
            scores.class_logits,
            transport_weight=self._recipe.transport_weight,
            mutual_information_weight=self._recipe.mutual_information_weight,
        )
