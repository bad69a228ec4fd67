"""What an adaptation needs of a base model, whatever its family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pouf_core.contract.method import ResolvedMethod
from pouf_core.data.items import Item
from pouf_core.scoring import Classifier

View = Any
"""One version of an item, as its base model's encoder takes it: pixels [3, H, W] of a picture, a text, …"""


class Views(Protocol):
    """Versions of items, reproducible from the seed and the items' content."""

    def name(self, number: int) -> str:
        """What a version is called: equal names mean equal versions of equal items."""
        ...

    def size(self, item: Item) -> int:
        """How long an item is; those of like size are encoded together. 0 where all are of one size."""
        ...

    def plain(self, item: Item) -> View:
        """The item as it is."""
        ...

    def view(self, item: Item, number: int) -> View:
        """One version of the item."""
        ...


class ItemEncoder(Protocol):
    """Encodes the items of a request."""

    @property
    def encoder_key(self) -> str:
        """Equal keys mean that equal items get equal features while nothing is trained."""
        ...

    def views(self, kind: str, seed: int) -> Views:
        """Versions of items as this encoder takes them; `kind` as in `ResolvedMethod.augmentation`."""
        ...

    def encode_items(self, views: Sequence[View]) -> Tensor:
        """Features [B, d] of B versions of items, never in less than float32."""
        ...


class Trainable(Protocol):
    """What is trained: features become scores by a classifier whose parameters, or the encoder's, may change.

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

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trained parameters with their initial learning rates, as `torch.optim` takes them."""
        ...

    def penalty(self, classifier: Any) -> Tensor | None:
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
    encode: Callable[[Sequence[View]], Tensor]
    project: Callable[[Tensor], Tensor]


class PromptedModel(ItemEncoder, Protocol):
    """A base model with the classes of one request."""

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
