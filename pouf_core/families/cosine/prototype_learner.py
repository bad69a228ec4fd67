"""Training of the text prototypes themselves, with an L2 penalty towards the zero-shot prototypes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pouf_core.contract.method import ResolvedMethod
from pouf_core.families.interface import ParameterGroup
from pouf_core.families.trained_tensors import OFFSETS, copies_of
from pouf_core.scoring import Classifier, CosineClassifier, unit_length


class ZeroShotPenalty:
    """L2 penalty towards the zero-shot prototypes, so that prototypes go only as far as the data pulls.

    An adaptive optimiser alone takes steps of one size, whether or not there is anything to learn.

    Args:
        weight: of the mean squared distance; 0 for none.
        prototypes: [K, d] where training begins, of unit length, without gradients.
    """

    def __init__(self, weight: float, prototypes: Tensor) -> None:
        self._weight = weight
        self._prototypes = prototypes

    def __call__(self, classifier: Classifier) -> Tensor | None:
        """The penalty, a scalar, or None without one."""
        if not self._weight:
            return None
        return self._weight * (classifier.prototypes - self._prototypes).square().sum(dim=1).mean()


def moved(prototypes: Tensor, offsets: Tensor) -> Tensor:
    """Prototypes [K, d] plus their offsets [K, d], brought back to unit length."""
    return unit_length(prototypes + offsets)


class PrototypeLearner:
    """K prototypes that trained offsets move away from their zero-shot values; the encoders stay as they are.

    Args:
        zero_shot: the base model's own classifier, without gradients.
        method: the resolved method.
    """

    prompts_at_once = 1  # none is encoded while training
    trains_item_encoder = False

    def __init__(self, zero_shot: CosineClassifier, method: ResolvedMethod) -> None:
        self._zero_shot = zero_shot
        self._rate = method.learning_rate
        self._penalty = ZeroShotPenalty(method.anchor_weight, zero_shot.prototypes)
        self._offsets = nn.Parameter(torch.zeros_like(zero_shot.prototypes))

    @property
    def device(self) -> torch.device:
        """Where the offsets live."""
        return self._offsets.device

    def classifier(self) -> CosineClassifier:
        """The classes under the present offsets."""
        return CosineClassifier(moved(self._zero_shot.prototypes, self._offsets), self._zero_shot.logit_scale)

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
