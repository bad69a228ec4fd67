"""Predictions with an adapted model, or with the base model it came from."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.adaptation.learner import NETWORK
from pouf_core.artifact import BIAS, PROTOTYPES, SCALE, TRAINED, Artifact, load_artifact
from pouf_core.backbones.cosine_model import CosineModel, weights_hash
from pouf_core.backbones.registry import BaseModelPool
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.runtime import choose_device

Input = Any
"""An item as its base model's `decode` takes it: a picture's path, content or PIL image; a text."""
Variant = Literal["adapted", "zero_shot"]
VARIANTS: tuple[Variant, ...] = ("adapted", "zero_shot")


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
class Encoder:
    """An encoder of items that several predictors may share.

    Attributes:
        key: equal keys mean equal weights, so their items may travel in one batch.
        encode: decoded items to unit-length float32 features [n, d] on the CPU.
    """

    key: str
    encode: Callable[[Sequence[Any]], Tensor]


class Predictor:
    """An adapted model ready to predict. Thread-safe.

    Args:
        artifact: the loaded artifact.
        base: the base model it was adapted from; shared, never changed.

    Raises:
        ArtifactError: `base_model_mismatch` when the base model's weights are not those that were adapted.
    """

    def __init__(self, artifact: Artifact, base: CosineModel) -> None:
        self.manifest: dict[str, Any] = artifact.manifest
        self.class_names: list[str] = [item["name"] for item in artifact.manifest["class_names"]]
        self.modality: str = artifact.manifest["modality"]
        self.fallback: str | None = artifact.manifest.get("fallback")
        if artifact.manifest["base_model"]["sha256"] != base.sha256:
            raise ArtifactError(
                "base_model_mismatch",
                f"The weights of {base.description.name} are not those that this model was adapted from.",
            )
        self._base = base
        self._prototypes = {variant: artifact.tensors[PROTOTYPES + variant] for variant in VARIANTS}
        self._scales = {variant: float(artifact.tensors[SCALE + variant].exp()) for variant in VARIANTS}
        self._biases = {variant: artifact.tensors.get(BIAS + variant) for variant in VARIANTS}
        prefix = f"{TRAINED}{NETWORK}{base.item_tower}."
        item_tower = {
            name.removeprefix(TRAINED + NETWORK): tensor
            for name, tensor in artifact.tensors.items()
            if name.startswith(prefix)
        }
        base_encoder = Encoder(f"{base.description.name}@{base.sha256}", _encode_with(base, base.network))
        self._encoders = {"zero_shot": base_encoder, "adapted": base_encoder}
        self.nbytes = sum(tensor.nbytes for tensor in self._prototypes.values())
        if item_tower:
            network = _with_tower(base.network, base.item_tower, item_tower)
            key = f"{base_encoder.key}+{weights_hash(item_tower)}"
            self._encoders["adapted"] = Encoder(key, _encode_with(base, network))
            tower = network.get_submodule(base.item_tower)
            self.nbytes += sum(parameter.nbytes for parameter in tower.state_dict().values())

    def encoder(self, variant: str = "adapted") -> Encoder:
        """The encoder of a variant.

        Raises:
            InvalidInput: `unknown_variant`.
        """
        return self._encoders[_known(variant)]

    def embed(self, inputs: Sequence[Input], variant: str = "adapted") -> Tensor:
        """Unit-length features [n, d] of pictures (paths, file contents or PIL images) or of texts.

        Raises:
            InvalidInput: an item cannot be decoded, or `unknown_variant`.
        """
        encoder = self.encoder(variant)
        items = [self._base.decode(item) for item in inputs]
        features = torch.empty(len(items), self._prototypes["adapted"].shape[1])
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
        known = _known(variant)
        logits = self._scales[known] * features @ self._prototypes[known].T
        bias = self._biases[known]
        if bias is not None:
            logits = logits + bias
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
    return Predictor(artifact, pool.get(artifact.manifest["base_model"]["name"]))


def _known(variant: str) -> Variant:
    for known in VARIANTS:
        if variant == known:
            return known
    raise InvalidInput("unknown_variant", f"Unknown variant {variant!r}: use adapted or zero_shot.", field="/variant")


def _with_tower(network: nn.Module, name: str, tensors: dict[str, Tensor]) -> nn.Module:
    """The network with an item tower of its own; everything else is shared with the original."""
    clone = copy.copy(network)
    clone._modules = dict(network._modules)
    setattr(clone, name, copy.deepcopy(network.get_submodule(name)))
    with torch.no_grad():
        for parameter, tensor in tensors.items():
            clone.get_parameter(parameter).copy_(tensor)
    return clone


def _encode_with(base: CosineModel, network: nn.Module) -> Callable[[Sequence[Any]], Tensor]:
    model = base.with_network(network)

    def encode(items: Sequence[Any]) -> Tensor:
        with torch.inference_mode():
            return model.encode_items([model.plain_view(item) for item in items]).float().cpu()

    return encode
