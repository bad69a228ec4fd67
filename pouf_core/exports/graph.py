"""Encoder and classifier as one network of one tensor, with the classes frozen."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from pouf_core.exports.model import ModelToExport
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.trained_tensors import LOGIT_SCALE, network_parameters, with_tower
from pouf_core.none_of_these import expected_similarity
from pouf_core.scoring import class_probabilities, unit_length
from pouf_core.variants import Variant

OUTPUTS = ("probabilities", "features", "similarity")


class Graph(nn.Module):
    """From prepared items to probabilities.

    Args:
        network: encodes items.
        encode: the name of its method that does so.
        variant: the classifier.
        by_cosine: whether features are divided by their length.
    """

    def __init__(self, network: nn.Module, encode: str, variant: Variant, *, by_cosine: bool) -> None:
        super().__init__()
        self.network = network
        self._encode = encode
        self._variant = variant
        self._by_cosine = by_cosine

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities [B, K], features [B, d], and the expected similarity [B] to the class.

        Args:
            items: pixels [B, 3, H, W], token ids [B, L], or what `packed_batch` makes of them [B, 2 + L].
        """
        features = getattr(self.network, self._encode)(items)
        if self._by_cosine:
            features = unit_length(features)
        variant = self._variant
        scores = variant.classifier(features)
        probabilities = class_probabilities(scores, variant.class_bias, variant.confidence)
        return probabilities, features, expected_similarity(scores, variant.class_bias)

    def largest_logit(self, features: Tensor) -> float:
        """The largest number, by its size, that the softmax takes for features [B, d]."""
        logits = self._variant.confidence * self._variant.classifier(features).class_logits
        return float(logits.abs().max())


def graph_of(model: ModelToExport, base: CosineModel[Any, Any]) -> Graph:
    """The graph of a model; its network is a copy where the items' tower was trained, else the base model's own."""
    encode = "encode_text" if base.item_tower == "text" else "encode_image"
    return Graph(adapted_network(model, base), encode, model.variant, by_cosine=True).eval()


def adapted_network(model: ModelToExport, base: CosineModel[Any, Any]) -> nn.Module:
    """The base model's network with the items' tower as it was trained."""
    weights = network_parameters(model.trained, f"{base.item_tower}.")
    return with_tower(base.network, base.item_tower, weights) if weights else base.network


def adapted_tensors(model: ModelToExport, base: CosineModel[Any, Any]) -> dict[str, Tensor]:
    """All weights of the network by their names, as they were trained: copies that share no memory."""
    tensors = base.network.state_dict() | network_parameters(model.trained)
    if LOGIT_SCALE in model.trained:
        tensors[LOGIT_SCALE] = model.trained[LOGIT_SCALE].reshape(tensors[LOGIT_SCALE].shape)
    return {name: value.detach().clone().contiguous() for name, value in tensors.items()}
