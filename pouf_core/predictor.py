"""Predictions with an adapted model, or with the base model it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.artifact import BIAS, TRAINED, Artifact, load_artifact
from pouf_core.contract.wording import language_template
from pouf_core.data.embeddings import FEATURES_FIELD, as_matrix, unit_rows
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.families.interface import BaseModel, SharedEncoder
from pouf_core.families.loading import BaseModelPool
from pouf_core.scoring import Classifier
from pouf_core.system.runtime import choose_device

Input = Any
"""An item as its base model's `decode` takes it: a picture's path, content or PIL image; a text or pair of texts;
a vector."""
Features = npt.NDArray[Any] | Tensor
"""Features [n, d] of items."""
VariantName = Literal["adapted", "zero_shot"]
VARIANTS: tuple[VariantName, ...] = ("adapted", "zero_shot")
_SCORES_AT_ONCE = 2**24  # 64 MiB of class logits


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

    @property
    def served(self) -> VariantName:
        """The variant that answers unless another is asked for: the fallback, where there is one."""
        return self.fallback or "adapted"

    def encoder(self, variant: str | None = None) -> SharedEncoder:
        """The encoder of a variant; None for the one that is served.

        Raises:
            InvalidInput: `unknown_variant`.
        """
        return self._variants[self._known(variant)].encoder

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

    def embed(self, inputs: Sequence[Input], variant: str | None = None) -> Tensor:
        """Features [n, d] of pictures (paths, file contents or PIL images), of texts or of vectors.

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
            features[part] = encoder.encode([encoder.prepare(items[index]) for index in part])
        return features

    def predict(self, inputs: Sequence[Input], top_k: int = 1, variant: str | None = None) -> list[Prediction]:
        """The class of every item, in order.

        Args:
            inputs: paths, file contents or PIL images of pictures; or texts; or vectors [d].
            top_k: how many classes to list, at least 1; more than K gives K.
            variant: `adapted` or `zero_shot`; None for the one that is served, as `/predict` has it.

        Raises:
            InvalidInput: an item cannot be decoded, `invalid_top_k` or `unknown_variant`.
        """
        return self.classify(self.embed(inputs, variant), top_k, variant)

    def classify(self, features: Features, top_k: int = 1, variant: str | None = None) -> list[Prediction]:
        """The class of every feature; arguments as for `predict`.

        Args:
            features: [n, d] as `embed` gives them, as numpy array or torch tensor; of a model adapted to a caller's own
                embeddings, vectors of any length and number type.
            top_k, variant: as for `predict`.

        Raises:
            InvalidInput: `invalid_top_k`, `unknown_variant`, `wrong_modality`, `embedding_shape`, `embedding_width`, or
                `embedding_zero` or `embedding_not_finite` with the row in the field.
        """
        if top_k < 1:
            raise InvalidInput("invalid_top_k", "top_k must be at least 1.", field="/top_k")
        found: list[Prediction] = []
        for probabilities in self._probabilities(features, variant):
            scores, indices = probabilities.topk(min(top_k, len(self.class_names)), dim=1)
            found += map(self._prediction, scores.tolist(), indices.tolist())
        return found

    def label_indices(
        self, features: Features, *, threshold: float | None = None, variant: str | None = None
    ) -> npt.NDArray[np.int64]:
        """The classes of many features as an array, without an object for each.

        Args:
            features, variant: as for `classify`.
            threshold: a feature whose largest probability is below gets no class; None gives every one a class.

        Returns:
            [n] places in `class_names`; -1 for no class.

        Raises:
            InvalidInput: as `classify`, or `invalid_threshold`.
        """
        check_threshold(threshold)
        parts = []
        for probabilities in self._probabilities(features, variant):
            scores, indices = probabilities.max(dim=1)
            parts.append(indices if threshold is None else indices.masked_fill(scores < threshold, -1))
        return torch.cat(parts).numpy() if parts else np.empty(0, dtype=np.int64)

    def _probabilities(self, features: Features, variant: str | None) -> Iterator[Tensor]:
        """Class probabilities [b, K] of some features at a time."""
        chosen = self._variants[self._known(variant)]
        matrix = as_matrix(features)
        prototypes = chosen.classifier.prototypes
        if matrix.shape[1] != prototypes.shape[1]:
            message = f"The features have {matrix.shape[1]} numbers each and this model takes {prototypes.shape[1]}."
            raise InvalidInput("embedding_width", message, field=FEATURES_FIELD)
        at_once = max(1, _SCORES_AT_ONCE // len(self.class_names))
        for start in range(0, len(matrix), at_once):
            part = matrix[start : start + at_once]
            if self.modality == "embedding":
                part = unit_rows(part).raise_any(first=start)
            rows = torch.from_numpy(np.array(part, order="C")).to(prototypes.dtype)
            yield chosen.class_logits(rows).softmax(dim=1)

    def _known(self, variant: str | None) -> VariantName:
        if variant is None:
            return self.served
        for known in VARIANTS:
            if variant == known:
                return known
        raise InvalidInput(
            "unknown_variant", f"Unknown variant {variant!r}: use adapted or zero_shot.", field="/variant"
        )

    def _prediction(self, scores: list[float], indices: list[int]) -> Prediction:
        top = [(self.class_names[index], score) for index, score in zip(indices, scores, strict=True)]
        return Prediction(top[0][0], indices[0], scores[0], top)


def check_threshold(threshold: float | None) -> None:
    """Refuse what is no probability.

    Raises:
        InvalidInput: `invalid_threshold`.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise InvalidInput("invalid_threshold", "A threshold is a probability, from 0 to 1.", field="/threshold")


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
