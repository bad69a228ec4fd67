"""The two encoders of a model that classifies by cosine: of items, and of prompts with learned context or without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.families.cosine.prompts import PlacedPrompts, Prompts, mean_of_templates
from pouf_core.families.cosine.text_encoding import TextEncoding
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.encoder_network import EncoderNetwork
from pouf_core.families.interface import Views
from pouf_core.scoring import unit_length
from pouf_core.system.memory import text_memory
from pouf_core.system.runtime import autocast_to, computes_on, encoder_precision

ViewT = TypeVar("ViewT")
"""An item as the network takes it."""

_recomputed = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)  # nothing here draws random numbers
_PROMPTS_AT_ONCE = 256  # bounds memory when prototypes of many classes are computed without gradients


class CosineEncoders(EncoderNetwork, Generic[ViewT]):
    """An encoder of items and one of prompts, into one space.

    Args:
        description: name, modality and tune modes.
        network: has `encode_text`, `logit_scale` and the item tower.
        tokenizer: the model's tokenizer of prompts.
        device: where the network lives.

    Attributes:
        item_tower: name of the network's module that encodes items.
        projection: what the names of a separate projection's parameters begin with.
        view_kind: the kind of views (see `views`) by which the data is judged.
        has_separate_projection: whether that tower is a trunk followed by a projection head, so that each can run
            alone by `encode_trunk` and `project`.
        precision: what the encoders compute in. Features, prototypes and all that follows are float32 in any case, or
            float64 where the network is.
        frozen: the item tower, or its trunk where the projection is separate, which an engine may run.
    """

    network: nn.Module
    item_tower: str
    projection: str
    view_kind = "flip"
    has_separate_projection = False

    def __init__(
        self, description: BaseModelDescription, network: nn.Module, tokenizer: TextTokenizer, device: torch.device
    ) -> None:
        super().__init__(description, network, device)
        self.tokenizer = tokenizer
        self.text = TextEncoding(network, tokenizer.pad_token_id)
        self.frozen = self._frozen_network()

    @abstractmethod
    def _frozen_network(self) -> FrozenNetwork:
        """What an engine may run."""

    @cached_property
    def width(self) -> int:
        """d, which prompts have in common with items."""
        with torch.inference_mode():
            return int(self.text(self.text.cut(self.tokenizer(["a"])).to(self.device)).shape[1])

    @property
    def logit_scale(self) -> nn.Parameter:
        """Logarithm of the factor between cosine and logit, a scalar or [1].

        SigLIP's constant `logit_bias` is left out of every logit: it cancels in each softmax, so neither the plan nor
        a class probability depends on it.
        """
        return self.network.logit_scale  # type: ignore[return-value]

    @abstractmethod
    def views(self, kind: str, seed: int) -> Views[ViewT]:
        """Versions of items as this model takes them."""

    @abstractmethod
    def encode_items(self, views: Sequence[ViewT]) -> Tensor:
        """Unit-length float32 features [B, d] of B versions of items."""

    def encode_trunk(self, views: Sequence[ViewT]) -> Tensor:
        """Item features [B, c] before the projection head; only where `has_separate_projection`."""
        raise NotImplementedError

    def project(self, trunk_features: Tensor) -> Tensor:
        """Unit-length features [B, d] from the trunk's [B, c]; only where `has_separate_projection`."""
        raise NotImplementedError

    def placed(self, prompts: Prompts) -> PlacedPrompts:
        """Prompts on the device, cut to the positions they use; for whoever encodes them more than once."""
        tokens = self.text.cut(prompts.tokens)
        placement = prompts.placement[:, : tokens.shape[1]]
        return PlacedPrompts(tokens.to(self.device), placement.to(self.device), prompts.template_count)

    def prototypes(
        self, prompts: Prompts | PlacedPrompts, context: Tensor | None = None, prompts_at_once: int | None = None
    ) -> Tensor:
        """Unit-length text prototypes [K, d]; an ensemble of templates is the mean of its unit features.

        Prompts beyond `prompts_at_once` go through the text tower in chunks that keep nothing but their features and
        are encoded again for the gradient (recomputation; Chen et al., 2016, arXiv 1604.06174), which is exact.

        Args:
            prompts: the tokenised prompts of K classes.
            context: [N, width] learned context vectors, or None for the templates' own words.
            prompts_at_once: prompts in a chunk, at least 1; None for `prompts_within_memory`.
        """
        placed = self.placed(prompts) if isinstance(prompts, Prompts) else prompts
        tokens, placement = placed.tokens, placed.placement
        recomputes = torch.is_grad_enabled()
        size = (prompts_at_once or self.prompts_within_memory(placed)) if recomputes else _PROMPTS_AT_ONCE
        pieces = [slice(start, start + size) for start in range(0, len(tokens), size)]
        parts = []
        for piece in pieces:
            inputs = (tokens[piece], context, placement[piece])
            keeps_only_features = recomputes and len(pieces) > 1
            parts.append(
                _recomputed(self._encode_prompts, *inputs) if keeps_only_features else self._encode_prompts(*inputs)
            )
        return mean_of_templates(torch.cat(parts), placed.template_count)

    def projected_prototypes(self, prompts: PlacedPrompts) -> Callable[[], Tensor]:
        """`prototypes` [K, d] of the templates' own words for when nothing before the text projection changes.

        Prompts go through the text tower once, here, and only through the projection at each call.
        """
        with torch.no_grad(), self._precision():
            pieces = [self.text.before_projection(piece) for piece in prompts.tokens.split(_PROMPTS_AT_ONCE)]
        before = torch.cat(pieces)

        def prototypes() -> Tensor:
            with self._precision():
                features = self.text.project(before)
            return mean_of_templates(unit_length(features), prompts.template_count)

        return prototypes

    def prompts_within_memory(self, prompts: PlacedPrompts) -> int:
        """How many of these prompts go through the text tower at once when a gradient is wanted, see `text_memory`."""
        return min(len(prompts.tokens), self.text.prompts_within(text_memory(self.device), prompts.tokens.shape[1]))

    def _encode_prompts(self, tokens: Tensor, context: Tensor | None, placement: Tensor) -> Tensor:
        with self._precision():
            features = self.text(tokens, context, placement)
        return unit_length(features)

    def initial_context(self, prompts: Prompts) -> Tensor:
        """Embeddings [N, width] of the template words that the context vectors start from."""
        with torch.no_grad():
            embedded: Tensor = self.text.input_embedding(prompts.context_tokens.to(self.device))
        return embedded.detach().clone()

    def _precision(self) -> torch.autocast:
        return autocast_to(self.precision, self.device)

    @property
    def weights_key(self) -> str:
        """Equal keys mean that equal items get equal features: the weights' hash, the activation, the precision."""
        unusual = self.precision if self.precision != encoder_precision(self.device) else None
        return "-".join(str(part) for part in (self.sha256, self.description.activation_used, unusual) if part)

    @property
    def encoding_key(self) -> str:
        """Equal keys mean that equal items get equal features to the last digit, here and on other machines."""
        engine = self.frozen.expected(self.precision)
        return f"{self.weights_key} {self.precision} {self.reading_key} {engine} {computes_on(self.device)}"

    @property
    @abstractmethod
    def reading_key(self) -> str:
        """Equal keys mean that items are brought to the network alike."""
