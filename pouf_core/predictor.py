"""Predictions with an adapted model, or with the base model it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.artifact import Artifact, load_artifact
from pouf_core.artifact_checks import VARIANTS, check_artifact
from pouf_core.contract.abstention import AnswerCurve, Threshold, VariantName, check_threshold, served_threshold
from pouf_core.contract.engine import EngineChoice
from pouf_core.contract.manifest import Manifest
from pouf_core.contract.wording import language_template
from pouf_core.data.embeddings import FEATURES_FIELD, as_matrix, unit_rows
from pouf_core.engines.interface import offer_of
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.families.interface import BaseModel, SharedEncoder
from pouf_core.families.loading import BaseModelPool
from pouf_core.families.trained_tensors import misfit
from pouf_core.system.runtime import choose_device
from pouf_core.variants import Answers, Variant, variants_of

Input = Any
"""An item as its base model's `decode` takes it: a picture's path, content or PIL image; a text or pair of texts;
a vector."""
Features = npt.NDArray[Any] | Tensor
"""Features [n, d] of items."""
_SCORES_AT_ONCE = 2**24  # 64 MiB of class logits


@dataclass(frozen=True)
class Prediction:
    """The class of one item.

    Attributes:
        label: the class name; None where the probability is below the threshold.
        class_index: its place in `Predictor.class_names`; None without a label.
        score: largest softmax probability, in [0, 1].
        top_k: the k most probable classes with their probabilities, best first.
        none_score: score for "none of these" in [0, 1]: the share of the items adapted to that are more similar to
            their class; None of a model adapted by a version without it.
    """

    label: str | None
    class_index: int | None
    score: float
    top_k: list[tuple[str, float]]
    none_score: float | None = None


class Predictor:
    """An adapted model ready to predict. Thread-safe.

    Args:
        artifact: the loaded artifact.
        base: the base model it was adapted from; shared, never changed.

    Attributes:
        base_model: that one.

    Raises:
        ArtifactError: `base_model_mismatch` when the base model's weights are not those that were adapted;
            `artifact_corrupt` where the artifact's parts do not fit one another.
    """

    def __init__(self, artifact: Artifact, base: BaseModel) -> None:
        self.manifest = artifact.manifest
        self.modality = self.manifest.modality
        self.fallback = self.manifest.fallback
        self.base_model = base
        self._base = base.of_artifact(artifact.tensors)
        _check_base(self.manifest, self._base)
        try:
            check_artifact(artifact, base)
            self.class_names = [item.name for item in self.manifest.classes]
            self._template = language_template(base.description, self.manifest.templates)
            self._variants = variants_of(artifact, self._base)
        except InvalidInput as error:
            raise misfit(error.message) from error
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
        return self.variant(variant).encoder

    def variant(self, name: str | None = None) -> Variant:
        """One classifier with its encoder; None for the one that is served.

        Raises:
            InvalidInput: `unknown_variant`.
        """
        return self._variants[self._known(name)]

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

    def predict(
        self,
        inputs: Sequence[Input],
        top_k: int = 1,
        variant: str | None = None,
        threshold: Threshold | None = None,
    ) -> list[Prediction]:
        """The class of every item, in order.

        Args:
            inputs: paths, file contents or PIL images of pictures; or texts; or vectors [d].
            top_k: how many classes to list, at least 1; more than K gives K.
            variant: `adapted` or `zero_shot`; None for the one that is served, as `/predict` has it.
            threshold: see `threshold_of`.

        Raises:
            InvalidInput: an item cannot be decoded, `invalid_top_k`, `unknown_variant`; or as `threshold_of`.
        """
        limit = self.threshold_of(threshold, variant)
        return self.classify(self.embed(inputs, variant), top_k, variant, limit)

    def classify(
        self, features: Features, top_k: int = 1, variant: str | None = None, threshold: Threshold | None = None
    ) -> list[Prediction]:
        """The class of every feature; arguments as for `predict`.

        Args:
            features: [n, d] as `embed` gives them, as numpy array or torch tensor; of a model adapted to a caller's own
                embeddings, vectors of any length and number type.
            top_k, variant, threshold: as for `predict`.

        Raises:
            InvalidInput: `invalid_top_k`, `unknown_variant`, `wrong_modality`, `embedding_shape`, `embedding_width`, or
                `embedding_zero` or `embedding_not_finite` with the row in the field; or as `threshold_of`.
        """
        limit = self.threshold_of(threshold, variant)
        if top_k < 1:
            raise InvalidInput("invalid_top_k", "top_k must be at least 1.", field="/top_k")
        found: list[Prediction] = []
        for answers in self._answers(features, variant):
            scores, indices = answers.probabilities.topk(min(top_k, len(self.class_names)), dim=1)
            none = repeat(None) if answers.none_scores is None else answers.none_scores.tolist()
            found += map(self._prediction, scores.tolist(), indices.tolist(), none, (scores[:, 0] < limit).tolist())
        return found

    def label_indices(
        self, features: Features, *, threshold: Threshold | None = None, variant: str | None = None
    ) -> npt.NDArray[np.int64]:
        """The classes of many features as an array, without an object for each.

        Args:
            features, variant, threshold: as for `classify`.

        Returns:
            [n] places in `class_names`; -1 for no class.

        Raises:
            InvalidInput: as `classify`.
        """
        limit = self.threshold_of(threshold, variant)
        parts = []
        for answers in self._answers(features, variant):
            scores, indices = answers.probabilities.max(dim=1)
            parts.append(indices.masked_fill(scores < limit, -1))
        return torch.cat(parts).numpy() if parts else np.empty(0, dtype=np.int64)

    def threshold_of(self, threshold: Threshold | None = None, variant: str | None = None) -> float:
        """The probability below which an item gets no class; 0 where every item gets one.

        Args:
            threshold: from 0 to 1; `auto` for the one that the adaptation proposed; None for the model's own, which was
                asked for with the adaptation, and is 0 unless it was.
            variant: as for `predict`.

        Raises:
            InvalidInput: `invalid_threshold`, `unknown_variant`, or `threshold_not_proposed` where `auto` is asked for
                here and none was proposed.
        """
        check_threshold(threshold)
        name = self._known(variant)
        curves = self.manifest.abstention
        curve: AnswerCurve | None = None if curves is None else curves[name]
        if threshold is None:
            return served_threshold(self.manifest.request.threshold, curve)
        if threshold != "auto" or (curve is not None and curve.proposed is not None):
            return served_threshold(threshold, curve)
        message = "No threshold was proposed for this model and variant; give a probability from 0 to 1."
        raise InvalidInput("threshold_not_proposed", message, field="/threshold")

    def _answers(self, features: Features, variant: str | None) -> Iterator[Answers]:
        """What is said of some features at a time."""
        chosen = self.variant(variant)
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
            yield chosen.answers(rows)

    def _known(self, variant: str | None) -> VariantName:
        if variant is None:
            return self.served
        for known in VARIANTS:
            if variant == known:
                return known
        raise InvalidInput(
            "unknown_variant", f"Unknown variant {variant!r}: use adapted or zero_shot.", field="/variant"
        )

    def _prediction(
        self, scores: list[float], indices: list[int], none_score: float | None, abstains: bool
    ) -> Prediction:
        top = [(self.class_names[index], score) for index, score in zip(indices, scores, strict=True)]
        if abstains:
            return Prediction(None, None, scores[0], top, none_score)
        return Prediction(top[0][0], indices[0], scores[0], top, none_score)


def _check_base(manifest: Manifest, base: BaseModel) -> None:
    name = base.description.name
    if manifest.base_model.sha256 != base.sha256:
        message = f"The weights of {name} are not those that this model was adapted from."
        raise ArtifactError("base_model_mismatch", message)
    used, found = manifest.activation_used, base.description.activation_used
    if used not in (None, found):
        adapted = f"This model was adapted from {name} with the activation `{used}`"
        message = f"{adapted}, and the loaded one computes with `{found}`."
        raise ArtifactError("base_model_mismatch", message)


def load(
    path: str | Path,
    *,
    device: str = "auto",
    base_models: BaseModelPool | None = None,
    engine: EngineChoice = "auto",
) -> Predictor:
    """Load an adapted model.

    Args:
        path: an artifact directory.
        device: where to predict, when no pool is given.
        base_models: a pool whose base models are shared between predictors.
        engine: what encodes on a CPU, when no pool is given: `torch`, `openvino`, or `auto` for OpenVINO from the
            512th item on.

    Raises:
        ArtifactError: `artifact_not_found`, `artifact_corrupt`, `artifact_format_unknown`, `base_model_mismatch`.
        PoufError: the base model cannot be loaded.
    """
    artifact = load_artifact(Path(path))
    pool = base_models or BaseModelPool(choose_device(device), offer_of(engine))
    return Predictor(artifact, pool.get(artifact.manifest.base_model.name, artifact.manifest.activation_used))
