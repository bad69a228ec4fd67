"""Base models that classify by cosine: prompts are embedded beside the items."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from pouf_core.contract.manifest import Manifest
from pouf_core.contract.presets import wanted_precision
from pouf_core.contract.request import CheckedRequest
from pouf_core.families.cosine.encoders import CosineEncoders
from pouf_core.families.cosine.prompted import PromptedCosineModel
from pouf_core.families.interface import EncoderPair, SharedEncoder
from pouf_core.families.trained_tensors import check_values, network_parameters, weights_hash, with_tower
from pouf_core.scoring import CosineClassifier, LinearClassifier, cosine_or_linear

ItemT = TypeVar("ItemT")
"""A decoded item."""
ViewT = TypeVar("ViewT")
"""An item as the network takes it."""


class CosineModel(CosineEncoders[ViewT], Generic[ItemT, ViewT]):
    """A base model of items and prompts in one space; see `pouf_core.families.interface.BaseModel`."""

    @abstractmethod
    def decode(self, source: Any) -> ItemT:
        """An item as a caller gives it, in the form that `plain_view` takes.

        Raises:
            InvalidInput: it cannot be used.
        """

    @abstractmethod
    def plain_view(self, item: ItemT) -> ViewT:
        """A decoded item as `encode_items` takes it."""

    def size(self, item: ItemT) -> int:
        """How long a decoded item is; those of like size are encoded together. 0 where all are of one size."""
        return 0

    def encode_plain(self, items: Sequence[ItemT]) -> Tensor:
        """Unit-length float32 features [n, d] of decoded items as they are, on the CPU and without gradients."""
        return self._encode_prepared([self.plain_view(item) for item in items])

    def _encode_prepared(self, views: Sequence[ViewT]) -> Tensor:
        with torch.inference_mode():
            return self.encode_items(views).float().cpu()

    def encoder(self) -> SharedEncoder:
        """The encoder of `encode_plain`."""
        return self._shared_encoder(f"{self.description.name}@{self.weights_key}")

    def _shared_encoder(self, key: str, nbytes: int = 0) -> SharedEncoder:
        return SharedEncoder(key, self._encode_prepared, nbytes, self.plain_view)

    def of_artifact(self, tensors: Mapping[str, Tensor]) -> Self:
        """The model itself: an artifact's class features come from its own prompts."""
        return self

    def prompted(self, request: CheckedRequest) -> PromptedCosineModel[ViewT]:
        """Bring it together with the classes of a request; training then changes its network in place.

        Raises:
            InvalidInput: a class name or a template that it cannot take.
        """
        return PromptedCosineModel(self, request)

    def encoders(self, trained: Mapping[str, Tensor], manifest: Manifest) -> EncoderPair:
        """The encoders of an artifact, in the precision that was asked for."""
        base = self.computing_in(wanted_precision(manifest.request.method))
        own = base.encoder()
        check_values(self.network, network_parameters(trained))
        weights = network_parameters(trained, f"{self.item_tower}.")
        if not weights:
            return EncoderPair(adapted=own, zero_shot=own)
        network = with_tower(self.network, self.item_tower, weights)
        nbytes = sum(value.nbytes for value in network.get_submodule(self.item_tower).state_dict().values())
        model = base.with_network(network)
        if base.has_separate_projection and all(name.startswith(self.projection) for name in weights):
            model.frozen = base.frozen  # one engine for all that differ in the projection alone
        else:
            nbytes *= 1 + model.frozen.copies  # an engine keeps weights of its own
        adapted = model._shared_encoder(f"{own.key}+{weights_hash(weights)}", nbytes)
        return EncoderPair(adapted=adapted, zero_shot=own)

    def classifier(self, tensors: Mapping[str, Tensor]) -> CosineClassifier | LinearClassifier:
        """The classifier that gave these tensors."""
        return cosine_or_linear(tensors)
