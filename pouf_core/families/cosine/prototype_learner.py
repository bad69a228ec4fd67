"""Training of the text prototypes themselves, with an L2 penalty towards the zero-shot prototypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pouf_core.contract.method import ResolvedMethod
from pouf_core.families.cosine.learner import ZeroShotPenalty
from pouf_core.families.cosine.prompts import Prompts
from pouf_core.families.interface import ParameterGroup
from pouf_core.families.trained_tensors import OFFSETS, copies_of
from pouf_core.scoring import Classifier, CosineClassifier, unit_length

if TYPE_CHECKING:
    from pouf_core.families.cosine.cosine_model import CosineModel


class PrototypeLearner:
    """A base model whose K prototypes may move away from their zero-shot values; both encoders stay as they are.

    A prototype is its zero-shot vector plus a trained offset, brought back to unit length.

    Args:
        base: the base model.
        prompts: the prompts of the classes.
        method: the resolved method.
    """

    prompts_at_once = 1  # none is encoded while training
    trains_item_encoder = False

    def __init__(self, base: CosineModel[Any, Any], prompts: Prompts, method: ResolvedMethod) -> None:
        self._base = base
        self._rate = method.learning_rate
        base.logit_scale.requires_grad_(False)
        with torch.no_grad():
            self._zero_shot = base.prototypes(prompts)
        self._penalty = ZeroShotPenalty(method.anchor_weight, self._zero_shot)
        self._offsets = nn.Parameter(torch.zeros_like(self._zero_shot))

    @property
    def device(self) -> torch.device:
        """Where the offsets live."""
        return self._base.device

    def classifier(self) -> CosineClassifier:
        """The classes under the present offsets."""
        return CosineClassifier(unit_length(self._zero_shot + self._offsets), self._base.logit_scale)

    def penalty(self, classifier: Classifier) -> Tensor | None:
        """The L2 penalty towards the zero-shot prototypes."""
        return self._penalty(classifier)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The offsets."""
        return [ParameterGroup([self._offsets], self._rate)]

    def after_step(self) -> None:
        """Nothing has limits."""

    def halve_prompts(self) -> bool:
        """There is nothing to halve."""
        return False

    def tensors(self) -> dict[str, Tensor]:
        """A copy of `prototype_offsets` [K, d]."""
        return copies_of({OFFSETS: self._offsets})

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        with torch.no_grad():
            self._offsets.copy_(tensors[OFFSETS])
