"""From features of items to the three matrices that the objective consumes, whatever the family of the base model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """What the classes score on B items.

    Attributes:
        similarity: [B, K] cosines, in [-1, 1].
        plan_logits: [B, K], whose softmax is the transport plan.
        class_logits: [B, K], whose softmax over K is the class probability.
    """

    similarity: Tensor
    plan_logits: Tensor
    class_logits: Tensor


class Classifier(Protocol):
    """K classes in the space of the items' features."""

    @property
    def prototypes(self) -> Tensor:
        """Unit-length vectors [K, d], one a class."""
        ...

    def __call__(self, features: Tensor) -> Scores:
        """Scores of features [B, d]."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What an artifact keeps of it, by name."""
        ...


@dataclass(frozen=True)
class CosineClassifier:
    """Classes scored by cosine: both logits are the scaled similarity.

    Attributes:
        prototypes: [K, d] of unit length.
        logit_scale: logarithm of the scale, a scalar or [1].
    """

    prototypes: Tensor
    logit_scale: Tensor

    def __call__(self, features: Tensor) -> Scores:
        """Scores of unit-length features [B, d], never in less than float32."""
        with torch.autocast(features.device.type, enabled=False):
            similarity = features @ self.prototypes.T
        logits = similarity * self.logit_scale.exp()
        return Scores(similarity, logits, logits)

    def tensors(self) -> dict[str, Tensor]:
        """`prototypes` and `logit_scale`."""
        return {"prototypes": self.prototypes, "logit_scale": self.logit_scale}


@dataclass(frozen=True)
class LinearClassifier:
    """Classes scored by a linear function of the features, beside the prototypes that it began with.

    Attributes:
        prototypes: [K, d] of unit length, which give the similarities.
        weights: [K, d] and
        bias: [K], which give both logits.
    """

    prototypes: Tensor
    weights: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Scores:
        """Scores of unit-length features [B, d], never in less than float32."""
        with torch.autocast(features.device.type, enabled=False):
            similarity = features @ self.prototypes.T
            logits = features @ self.weights.T + self.bias
        return Scores(similarity, logits, logits)

    def tensors(self) -> dict[str, Tensor]:
        """`prototypes`, `weights` and `bias`."""
        return {"prototypes": self.prototypes, "weights": self.weights, "bias": self.bias}


def cosine_or_linear(tensors: Mapping[str, Tensor]) -> CosineClassifier | LinearClassifier:
    """The classifier that gave these tensors."""
    return LinearClassifier(**tensors) if "weights" in tensors else CosineClassifier(**tensors)


def unit_length(features: Tensor) -> Tensor:
    """Normalised along the last dimension, in float32 unless the model computes in float64."""
    return F.normalize(single_or_double(features), dim=-1)


def single_or_double(values: Tensor) -> Tensor:
    """In float32, or float64 where they are; never in less."""
    return values if values.dtype == torch.float64 else values.float()
