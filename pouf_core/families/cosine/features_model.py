"""The base model of a caller's own vectors: items are features already, and classes are the caller's class features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.embedding_data import class_features_missing
from pouf_core.contract.manifest import Manifest
from pouf_core.contract.method import Precision, ResolvedMethod
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.class_features import FIELD
from pouf_core.data.embeddings import Floats, embedding_of
from pouf_core.data.items import Item
from pouf_core.engines.interface import EngineOffer
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.prototype_learner import PrototypeLearner
from pouf_core.families.interface import EncoderPair, SharedEncoder
from pouf_core.families.trained_tensors import misfit, weights_hash
from pouf_core.scoring import CosineClassifier, LinearClassifier, cosine_or_linear


class FeaturesModel:
    """A base model without weights; see `pouf_core.families.interface.BaseModel`.

    Args:
        description: name, modality and tune modes.
        device: where the class features live.
        classes: the class features [K, d] with their scale, without gradients; None as long as they are unknown.
    """

    def __init__(
        self, description: BaseModelDescription, device: torch.device, classes: CosineClassifier | None = None
    ) -> None:
        self.description = description
        self.device = device
        self._classes = None
        if classes is not None:
            self._classes = CosineClassifier(
                classes.prototypes.detach().to(device), classes.logit_scale.detach().to(device)
            )

    def with_classes(self, classes: CosineClassifier) -> FeaturesModel:
        """The same model with class features [K, d] of unit length, and a scale."""
        return FeaturesModel(self.description, self.device, classes)

    def of_artifact(self, tensors: Mapping[str, Tensor]) -> FeaturesModel:
        """The same model with the class features that an artifact was adapted from.

        Raises:
            ArtifactError: `artifact_corrupt`: it has none.
        """
        try:
            classes = CosineClassifier(tensors["prototypes.zero_shot"], tensors["logit_scale.zero_shot"])
        except KeyError as error:
            raise misfit(f"it has no tensor {error}") from error
        return self.with_classes(classes)

    @property
    def width(self) -> int | None:
        """d; None without class features."""
        return None if self._classes is None else self._classes.prototypes.shape[1]

    @cached_property
    def sha256(self) -> str:
        """Hash of class features and scale, which stand where another base model has its weights."""
        return weights_hash({} if self._classes is None else self._classes.tensors())

    @property
    def nbytes(self) -> int:
        """There are no weights."""
        return 0

    @property
    def engine_used(self) -> None:
        """Nothing is encoded."""
        return

    def offer_engine(self, offer: EngineOffer | None) -> None:
        """Nothing is encoded."""

    def computing_in(self, precision: Precision | None) -> FeaturesModel:
        """The same: it has no encoder."""
        return self

    def copy(self) -> FeaturesModel:
        """The model itself: nothing changes it."""
        return self

    def decode(self, source: Any) -> Floats:
        """One vector [d] of unit length.

        Raises:
            InvalidInput: as `pouf_core.data.embeddings.embedding_of`.
        """
        return embedding_of(source, self.description.name, self.width)

    def size(self, item: Floats) -> int:
        """All are of one size."""
        return 0

    def encode_plain(self, items: Sequence[Floats]) -> Tensor:
        """The vectors [n, d] on the CPU."""
        return torch.from_numpy(np.stack(list(items)))

    def prompted(self, request: CheckedRequest) -> PromptedFeatures:
        """Bring it together with the classes of a request.

        Raises:
            InvalidInput: `class_features_missing`, `class_features_count`.
        """
        if self._classes is None:
            raise class_features_missing(self.description.name, FIELD)
        found, wanted = len(self._classes.prototypes), len(request.classes)
        if found != wanted:
            message = f"There are {found} class features for {wanted} classes."
            raise InvalidInput("class_features_count", message, field=FIELD)
        return PromptedFeatures(self._classes, self.device)

    def encoder(self) -> SharedEncoder:
        """The encoder of `encode_plain`."""
        return SharedEncoder(f"{self.description.name}@{self.width}", self.encode_plain)

    def encoders(self, trained: Mapping[str, Tensor], manifest: Manifest) -> EncoderPair:
        """One encoder for both variants, and for all models of one width."""
        own = self.encoder()
        return EncoderPair(adapted=own, zero_shot=own)

    def classifier(self, tensors: Mapping[str, Tensor]) -> CosineClassifier | LinearClassifier:
        """The classifier that gave these tensors."""
        return cosine_or_linear(tensors)


class PromptedFeatures:
    """Class features in place of prompts; see `pouf_core.families.interface.PromptedModel`.

    Args:
        classes: K class features and their scale.
        device: where they live.
    """

    encoder_key = "features"
    engine_used = None
    view_kind = "none"
    trunk = None
    context_scale = 0.0
    longest = None

    def __init__(self, classes: CosineClassifier, device: torch.device) -> None:
        self._classes = classes
        self._device = device

    def views(self, kind: str, seed: int) -> EmbeddingViews:
        """There is one view of a vector, whatever is asked for."""
        return EmbeddingViews()

    def encode_items(self, views: Sequence[Floats]) -> Tensor:
        """Unit-length features [B, d]: the vectors themselves. A matrix [B, d] is not copied on a CPU."""
        return torch.from_numpy(np.asarray(views)).to(self._device)

    def zero_shot(self) -> CosineClassifier:
        """The class features as they were given."""
        return self._classes

    def learner(self, method: ResolvedMethod) -> PrototypeLearner:
        """Prototypes that start from the class features."""
        return PrototypeLearner(self._classes, method)


class EmbeddingViews:
    """Versions of vectors: as they are."""

    def name(self, number: int) -> str:
        """All views are one."""
        return "plain"

    def size(self, item: Item) -> int:
        """All are of one size."""
        return 0

    def plain(self, item: Item) -> Floats:
        """The vector [d]."""
        return item.embedding()

    def view(self, item: Item, number: int) -> Floats:
        """The vector [d]."""
        return item.embedding()


def class_features_classifier(vectors: Floats, logit_scale: float) -> CosineClassifier:
    """The classifier of class features.

    Args:
        vectors: [K, d] of unit length.
        logit_scale: what cosines are multiplied by, above 0.
    """
    return CosineClassifier(torch.from_numpy(vectors), torch.tensor(math.log(logit_scale)))
