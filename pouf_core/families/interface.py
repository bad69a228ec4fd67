"""What the rest of the code needs of a base model, whatever its family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.manifest import Manifest
from pouf_core.contract.method import Precision, ResolvedMethod
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.items import Item
from pouf_core.engines.interface import EngineOffer
from pouf_core.scoring import Classifier

ViewT = TypeVar("ViewT")
"""One version of an item, as its base model's encoder takes it: pixels [3, H, W] of a picture, a text, …"""
View_co = TypeVar("View_co", covariant=True)


class Views(Protocol[View_co]):
    """Versions of items, reproducible from the seed and the items' content."""

    def name(self, number: int) -> str:
        """What a version is called: equal names mean equal versions of equal items."""
        ...

    def size(self, item: Item) -> int:
        """How long an item is; those of like size are encoded together. 0 where all are of one size."""
        ...

    def plain(self, item: Item) -> View_co:
        """The item as it is."""
        ...

    def view(self, item: Item, number: int) -> View_co:
        """One version of the item."""
        ...


class ItemEncoder(Protocol[ViewT]):
    """Encodes the items of a request."""

    @property
    def encoder_key(self) -> str:
        """Equal keys mean that equal items get equal features while nothing is trained."""
        ...

    def views(self, kind: str, seed: int) -> Views[ViewT]:
        """Versions of items as this encoder takes them; `kind` as in `ResolvedMethod.augmentation`."""
        ...

    def encode_items(self, views: Sequence[ViewT]) -> Tensor:
        """Features [B, d] of B versions of items, never in less than float32."""
        ...


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are trained at one learning rate.

    Attributes:
        parameters: at least one.
        learning_rate: the initial one, above 0.
    """

    parameters: list[nn.Parameter]
    learning_rate: float


class Trainable(Protocol):
    """A learner: features become scores by a classifier whose parameters, or the encoder's, are trained.

    Attributes:
        prompts_at_once: prompts encoded at once when a gradient is wanted.
    """

    prompts_at_once: int

    @property
    def device(self) -> torch.device:
        """Where the trained tensors live."""
        ...

    @property
    def trains_item_encoder(self) -> bool:
        """Whether the items' features change during training."""
        ...

    def classifier(self) -> Classifier:
        """The classes under the present parameters, with gradients where they are enabled."""
        ...

    def parameter_groups(self) -> list[ParameterGroup]:
        """Everything that is trained."""
        ...

    def penalty(self, classifier: Classifier) -> Tensor | None:
        """What is added to the loss for leaving the base model, a scalar; None for nothing.

        Args:
            classifier: what `classifier()` gave in this step.
        """
        ...

    def after_step(self) -> None:
        """Put parameters back within their limits; called after every optimiser step."""
        ...

    def halve_prompts(self) -> bool:
        """Encode fewer prompts at once; False where there is nothing to halve."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Copies on the CPU of everything trained, by name."""
        ...

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        ...


@dataclass(frozen=True)
class Trunk:
    """The part of an item encoder before its projection head.

    Attributes:
        key: as `ItemEncoder.encoder_key`.
        encode: B versions of items to features [B, c].
        project: these to the encoder's features [B, d].
    """

    key: str
    encode: Callable[[Sequence[Any]], Tensor]
    project: Callable[[Tensor], Tensor]


class PromptedModel(ItemEncoder[ViewT], Protocol[ViewT]):
    """A base model with the classes of one request."""

    @property
    def engine_used(self) -> EngineUsed | None:
        """As of the base model."""
        ...

    @property
    def view_kind(self) -> str:
        """The kind of views by which the data is judged: view 0 is the item as it is, view 1 another."""
        ...

    @property
    def trunk(self) -> Trunk | None:
        """The trunk, where the encoder is one followed by a projection head that `tune` `head` trains alone."""
        ...

    @property
    def context_scale(self) -> float:
        """Root mean square of the untrained context vectors, to which learning rates may be relative."""
        ...

    @property
    def longest(self) -> int | None:
        """Tokens of an item that are read at most, where a language model reads it; else None."""
        ...

    def zero_shot(self) -> Classifier:
        """The base model's own classifier, without gradients; later training leaves it as it is."""
        ...

    def learner(self, method: ResolvedMethod) -> Trainable:
        """What a method trains; its networks may be changed in place.

        Raises:
            InvalidInput: `nothing_to_tune`.
        """
        ...


@dataclass(frozen=True)
class SharedEncoder:
    """An encoder of items that several predictors may share.

    Attributes:
        key: equal keys mean equal weights, and that equal items are read alike, so that they may travel in one batch.
        encode: prepared items to float32 features [n, d] on the CPU.
        nbytes: bytes of the weights that it does not share with the base model.
        prepare: a decoded item as `encode` takes it; may run in another thread, while other items are encoded.
    """

    key: str
    encode: Callable[[Sequence[Any]], Tensor]
    nbytes: int = 0
    prepare: Callable[[Any], Any] = lambda item: item


@dataclass(frozen=True)
class EncoderPair:
    """The encoders of an artifact's two classifiers; one and the same where the encoder was not trained."""

    adapted: SharedEncoder
    zero_shot: SharedEncoder


class BaseModel(Protocol):
    """A loaded base model. What is shared is never changed; `copy` gives one that may be trained."""

    @property
    def description(self) -> BaseModelDescription:
        """What could be said of it before it was loaded."""
        ...

    @property
    def sha256(self) -> str:
        """Hash (hex) of the pretrained weights."""
        ...

    @property
    def width(self) -> int | None:
        """d, the numbers of a feature; None where that is the width of class features that it has not got."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of its weights in memory, with those that an engine holds beside them."""
        ...

    @property
    def engine_used(self) -> EngineUsed | None:
        """What runs the encoder of its items; None where items are features already."""
        ...

    def offer_engine(self, offer: EngineOffer | None) -> None:
        """Let an engine run the encoder of its items as long as that is frozen; None: PyTorch alone.

        Copies, and the encoders of artifacts that are made later, are offered it as well.
        """
        ...

    def computing_in(self, precision: Precision | None) -> Self:
        """The same network, computing in a precision; None leaves this model's own."""
        ...

    def copy(self) -> Self:
        """The same model with parameters of its own."""
        ...

    def of_artifact(self, tensors: Mapping[str, Tensor]) -> Self:
        """The base model as an artifact with these tensors was adapted from it: itself, where it has weights.

        Args:
            tensors: as in `pouf_core.artifact.Artifact`.
        """
        ...

    def decode(self, source: Any) -> Any:
        """An item as a caller gives it, ready to be encoded: a picture's path, content or PIL image, a text, a vector.

        Raises:
            InvalidInput: it cannot be used.
        """
        ...

    def size(self, item: Any) -> int:
        """How long a decoded item is; those of like size are encoded together. 0 where all are of one size."""
        ...

    def encode_plain(self, items: Sequence[Any]) -> Tensor:
        """Float32 features [n, d] of decoded items as they are, on the CPU and without gradients."""
        ...

    def encoder(self) -> SharedEncoder:
        """The encoder of `encode_plain`, which predictors share where it was not trained for them."""
        ...

    def prompted(self, request: CheckedRequest) -> PromptedModel[Any]:
        """Bring it together with the classes of a request; training then changes its network in place.

        Raises:
            InvalidInput: a class name, a template or a label word that it cannot take.
        """
        ...

    def encoders(self, trained: Mapping[str, Tensor], manifest: Manifest) -> EncoderPair:
        """The encoders of an artifact.

        Args:
            trained: what its learner's `tensors` gave.
            manifest: of the artifact.
        """
        ...

    def classifier(self, tensors: Mapping[str, Tensor]) -> Classifier:
        """The classifier that gave these tensors, see `Classifier.tensors`."""
        ...
