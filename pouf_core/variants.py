"""The two classifiers of an artifact with the encoders of their items: adapted, and the base model's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pouf_core.artifact import Artifact
from pouf_core.contract.abstention import VariantName
from pouf_core.families.interface import BaseModel, SharedEncoder
from pouf_core.none_of_these import expected_similarity, none_scores
from pouf_core.scoring import Classifier, class_probabilities


@dataclass(frozen=True)
class Answers:
    """What a classifier says of n items.

    Attributes:
        probabilities: [n, K] of the classes.
        none_scores: [n] see `pouf_core.none_of_these.none_scores`, or None.
    """

    probabilities: Tensor
    none_scores: Tensor | None


@dataclass(frozen=True)
class Variant:
    """One classifier of an artifact, with the encoder of its items: adapted, or the base model's own.

    Attributes:
        encoder: gives the features.
        classifier: K classes, on the CPU.
        class_bias: [K] added to the class logits, or None.
        levels: see `pouf_core.none_of_these.similarity_levels`; None of an artifact that has none.
        confidence: what logits are multiplied by before the softmax, above 0.
    """

    encoder: SharedEncoder
    classifier: Classifier
    class_bias: Tensor | None
    levels: Sequence[float] | None
    confidence: float = 1.0

    def answers(self, features: Tensor) -> Answers:
        """What it says of features [n, d]."""
        scores = self.classifier(features)
        found = None
        if self.levels is not None:
            found = none_scores(expected_similarity(scores, self.class_bias), self.levels)
        return Answers(class_probabilities(scores, self.class_bias, self.confidence), found)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes beside the base model."""
        return self.encoder.nbytes + sum(tensor.nbytes for tensor in self.classifier.tensors().values())


def variants_of(artifact: Artifact, base: BaseModel) -> dict[VariantName, Variant]:
    """Both variants over the base model, which is shared and never changed."""
    encoders = base.encoders(artifact.trained, artifact.manifest)
    return {
        "adapted": _variant(artifact, base, "adapted", encoders.adapted),
        "zero_shot": _variant(artifact, base, "zero_shot", encoders.zero_shot),
    }


def _variant(artifact: Artifact, base: BaseModel, name: VariantName, encoder: SharedEncoder) -> Variant:
    classifier = base.classifier(artifact.classifier_tensors(name))
    levels = artifact.manifest.similarity_levels.get(name)
    confidence = artifact.manifest.confidence.get(name, 1.0)
    return Variant(encoder, classifier, artifact.class_bias(name), levels, confidence)
