"""The two classifiers of an artifact, each with the encoder of its items: adapted, and the base model's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from pouf_core.artifact import BIAS, TRAINED, Artifact
from pouf_core.families.interface import BaseModel, SharedEncoder
from pouf_core.scoring import Classifier

VariantName = Literal["adapted", "zero_shot"]
VARIANTS: tuple[VariantName, ...] = ("adapted", "zero_shot")


@dataclass(frozen=True)
class Variant:
    """One classifier of an artifact.

    Attributes:
        encoder: gives the features.
        classifier: K classes, on the CPU.
        class_bias: [K] added to the class logits, or None.
    """

    encoder: SharedEncoder
    classifier: Classifier
    class_bias: Tensor | None

    def class_logits(self, features: Tensor) -> Tensor:
        """Class logits [n, K] of features [n, d]."""
        logits = self.classifier(features).class_logits
        return logits if self.class_bias is None else logits + self.class_bias

    @property
    def nbytes(self) -> int:
        """Bytes that it takes beside the base model."""
        return self.encoder.nbytes + sum(tensor.nbytes for tensor in self.classifier.tensors().values())


def variants_of(artifact: Artifact, base: BaseModel) -> dict[VariantName, Variant]:
    """Both variants over the base model, which is shared and never changed."""
    trained = {name.removeprefix(TRAINED): item for name, item in artifact.tensors.items() if name.startswith(TRAINED)}
    encoders = base.encoders(trained, artifact.manifest)
    return {
        "adapted": _variant(artifact, base, "adapted", encoders.adapted),
        "zero_shot": _variant(artifact, base, "zero_shot", encoders.zero_shot),
    }


def _variant(artifact: Artifact, base: BaseModel, name: VariantName, encoder: SharedEncoder) -> Variant:
    ending = f".{name}"
    tensors = {
        key.removesuffix(ending): tensor
        for key, tensor in artifact.tensors.items()
        if key.endswith(ending) and not key.startswith((TRAINED, BIAS))
    }
    return Variant(encoder, base.classifier(tensors), artifact.tensors.get(BIAS + name))
