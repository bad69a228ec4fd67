"""From features of items to the three matrices that the objective consumes, whatever the family of the base model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_NUMBERS_AT_ONCE = 2**21  # 8 MiB of float32


def row_pieces(rows: int, columns: int) -> list[slice]:
    """Slices that together are all rows of a matrix, of some 2 million numbers each.

    What has n rows and K columns is worked on piece by piece, since all of it may not fit in memory.
    """
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, columns))
    return [slice(start, min(start + at_once, rows)) for start in range(0, rows, at_once)]


class FeatureMatrix(Protocol):
    """Features [n, d]; a tensor is one."""

    @property
    def shape(self) -> Sequence[int]:
        """n and d."""
        ...

    def __len__(self) -> int:
        """n."""
        ...

    def __getitem__(self, rows: slice | list[int], /) -> Tensor:
        """Some rows [b, d]."""
        ...


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


def logit_pieces(classifier: Classifier, features: FeatureMatrix, class_bias: Tensor | None = None) -> Iterator[Tensor]:
    """Class logits [b, K] of features [n, d], some rows at a time and without gradients.

    Args:
        classifier: K classes.
        features: [n, d].
        class_bias: [K] added to the logits, or None.
    """
    for rows in row_pieces(len(features), max(classifier.prototypes.shape)):
        with torch.no_grad():
            logits = classifier(features[rows]).class_logits
        yield logits if class_bias is None else logits + class_bias.to(logits)


def class_probabilities(scores: Scores, class_bias: Tensor | None = None, confidence: float = 1.0) -> Tensor:
    """Probabilities [n, K] of the classes, as they are served.

    Args:
        scores: of n items.
        class_bias: [K] added to the class logits, or None.
        confidence: what logits are multiplied by before the softmax, above 0.
    """
    logits = scores.class_logits if class_bias is None else scores.class_logits + class_bias.to(scores.class_logits)
    return (confidence * logits).softmax(dim=1)


def class_indices(classifier: Classifier, features: FeatureMatrix) -> Tensor:
    """The most probable class [n] of each of the features [n, d]."""
    return torch.cat([logits.argmax(dim=1) for logits in logit_pieces(classifier, features)])


def cosine_or_linear(tensors: Mapping[str, Tensor]) -> CosineClassifier | LinearClassifier:
    """The classifier that gave these tensors."""
    return LinearClassifier(**tensors) if "weights" in tensors else CosineClassifier(**tensors)


def unit_length(features: Tensor) -> Tensor:
    """Normalised along the last dimension, in float32 unless the model computes in float64."""
    return F.normalize(single_or_double(features), dim=-1)


def single_or_double(values: Tensor) -> Tensor:
    """In float32, or float64 where they are; never in less."""
    return values if values.dtype == torch.float64 else values.float()
