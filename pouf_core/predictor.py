"""Predictions with an adapted model, or with the base model it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.artifact import BIAS, TRAINED, Artifact, load_artifact
from pouf_core.contract.wording import language_template
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.families.interface import BaseModel, SharedEncoder
from pouf_core.families.loading import BaseModelPool
from pouf_core.scoring import Classifier
from pouf_core.system.runtime import choose_device

Input = Any
"""An item as its base model's `decode` takes it: a picture's path, content or PIL image; a text or pair of texts."""
VariantName = Literal["adapted", "zero_shot"]
VARIANTS: tuple[VariantName, ...] = ("adapted", "zero_shot")


@dataclass(frozen=True)
class Prediction:
    """The class of one item.

    Attributes:
        label: the class name.
        class_index: its place in `Predictor.class_names`.
        score: softmax probability in [0, 1].
        top_k: the k most probable classes with their probabilities, best first.
    """

    label: str | None
    class_index: int | None
    score: float
    top_k: list[tuple[str, float]]


@dataclass(frozen=True)
class Variant:
    """One classifier of an artifact, with the encoder of its items: adapted, or the base model's own.

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


class Predictor:
    """An adapted model ready to predict. Thread-safe.

    Args:
        artifact: the loaded artifact.
        base: the base model it was adapted from; shared, never changed.

    Raises:
        ArtifactError: `base_model_mismatch` when the base model's weights are not those that were adapted.
    """

    def __init__(self, artifact: Artifact, base: BaseModel) -> None:
        self.manifest = artifact.manifest
        self.class_names = [item.name for item in self.manifest.classes]
        self.modality = self.manifest.modality
        self.fallback = self.manifest.fallback
        base = base.of_artifact(artifact.tensors)
        if self.manifest.base_model.sha256 != base.sha256:
            raise ArtifactError(
                "base_model_mismatch",
                f"The weights of {base.description.name} are not those that this model was adapted from.",
            )
        used = self.manifest.activation_used
        if used is not None and used != base.description.activation_used:
            raise ArtifactError(
                "base_model_mismatch",
                f"This model was adapted from {base.description.name} with the activation `{used}`, and the loaded one "
                f"computes with `{base.description.activation_used}`.",
            )
        self._base = base
        self._template = language_template(base.description, self.manifest.templates)
        self._variants = _variants_of(artifact, base)
        self.nbytes = sum(variant.nbytes for variant in self._variants.values())

    def encoder(self, variant: str = "adapted") -> SharedEncoder:
        """The encoder of a variant.

        Raises:
            InvalidInput: `unknown_variant`.
        """
        return self._variants[_known(variant)].encoder

    def decode(self, source: Input) -> Any:
        """An item in the form that the encoders take.

        Raises:
            InvalidInput: it cannot be used: as the base model's `decode`; `text_pair_not_supported` of a sentence
                encoder, `text_pair_missing` or `text_pair_not_used` of a language model.
        """
        item = self._base.decode(source)
        if self._template is not None:
            self._template.texts(item, None)
        return item

    def embed(self, inputs: Sequence[Input], variant: str = "adapted") -> Tensor:
        """Features [n, d] of pictures (paths, file contents or PIL images) or of texts.

        Of unit length, unless the base model is a language model: then hidden states at the mask.

        Raises:
            InvalidInput: an item cannot be decoded, or `unknown_variant`.
        """
        encoder = self.encoder(variant)
        items = [self.decode(item) for item in inputs]
        features = torch.empty(len(items), self._variants["adapted"].classifier.prototypes.shape[1])
        order = sorted(range(len(items)), key=lambda index: self._base.size(items[index]))
        for start in range(0, len(order), ENCODE_BATCH):
            part = order[start : start + ENCODE_BATCH]
            features[part] = encoder.encode([items[index] for index in part])
        return features

    def predict(self, inputs: Sequence[Input], top_k: int = 1, variant: str = "adapted") -> list[Prediction]:
        """The class of every item, in order.

        Args:
            inputs: paths, file contents or PIL images of pictures; or texts.
            top_k: how many classes to list, at least 1; more than K gives K.
            variant: `adapted` or `zero_shot`; the library serves what is asked for, whatever `fallback` says.

        Raises:
            InvalidInput: an item cannot be decoded, `invalid_top_k` or `unknown_variant`.
        """
        return self.classify(self.embed(inputs, variant), top_k, variant)

    def classify(self, features: Tensor, top_k: int = 1, variant: str = "adapted") -> list[Prediction]:
        """The class of every feature [n, d]; arguments as for `predict`."""
        if top_k < 1:
            raise InvalidInput("invalid_top_k", "top_k must be at least 1.", field="/top_k")
        logits = self._variants[_known(variant)].class_logits(features)
        scores, indices = logits.softmax(dim=1).topk(min(top_k, len(self.class_names)), dim=1)
        return [
            self._prediction(row_scores, row_indices)
            for row_scores, row_indices in zip(scores.tolist(), indices.tolist(), strict=True)
        ]

    def _prediction(self, scores: list[float], indices: list[int]) -> Prediction:
        top = [(self.class_names[index], score) for index, score in zip(indices, scores, strict=True)]
        return Prediction(top[0][0], indices[0], scores[0], top)


def load(path: str | Path, *, device: str = "auto", base_models: BaseModelPool | None = None) -> Predictor:
    """Load an adapted model.

    Args:
        path: an artifact directory.
        device: where to predict, when no pool is given.
        base_models: a pool whose base models are shared between predictors.

    Raises:
        ArtifactError: `artifact_not_found`, `artifact_corrupt`, `artifact_format_unknown`, `base_model_mismatch`.
        PoufError: the base model cannot be loaded.
    """
    artifact = load_artifact(Path(path))
    pool = base_models or BaseModelPool(choose_device(device))
    return Predictor(artifact, pool.get(artifact.manifest.base_model.name, artifact.manifest.activation_used))


def _known(variant: str) -> VariantName:
    for known in VARIANTS:
        if variant == known:
            return known
    raise InvalidInput("unknown_variant", f"Unknown variant {variant!r}: use adapted or zero_shot.", field="/variant")


def _variants_of(artifact: Artifact, base: BaseModel) -> dict[VariantName, Variant]:
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
