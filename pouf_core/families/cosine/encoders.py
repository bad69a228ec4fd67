"""The two encoders of a model that classifies by cosine: of items, and of prompts with learned context or without."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.method import Precision
from pouf_core.engines.frozen import FrozenNetwork, bytes_of
from pouf_core.engines.interface import EngineOffer
from pouf_core.families.cosine.prompts import PlacedPrompts, Prompts, mean_of_templates
from pouf_core.families.cosine.text_encoding import TextEncoding
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.interface import Views
from pouf_core.families.trained_tensors import weights_hash
from pouf_core.scoring import unit_length
from pouf_core.system.memory import text_memory
from pouf_core.system.runtime import autocast_to, computes_on, encoder_precision, with_precision

ViewT = TypeVar("ViewT")
"""An item as the network takes it."""

_recomputed = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)  # nothing here draws random numbers
_PROMPTS_AT_ONCE = 256  # bounds memory when prototypes of many classes are computed without gradients


class CosineEncoders(ABC, Generic[ViewT]):
    """An encoder of items and one of prompts, into one space.

    Args:
        description: name, modality and tune modes.
        network: has `encode_text`, `logit_scale` and the item tower; it stays in eval mode, so batch norm keeps its
            running statistics and dropout is off.
        tokenizer: the model's tokenizer of prompts.
        device: where the network lives.

    Attributes:
        item_tower: name of the network's module that encodes items.
        projection: what the names of a separate projection's parameters begin with.
        view_kind: the kind of views (see `views`) by which the data is judged.
        has_separate_projection: whether that tower is a trunk followed by a projection head, so that each can run
            alone by `encode_trunk` and `project`.
        precision: what the encoders compute in: bfloat16 (by autocast) on a GPU, else float32. Features, prototypes
            and all that follows are float32 in either case, or float64 where the network is.
        frozen: the item tower, or its trunk where the projection is separate, which an engine may run.
    """

    item_tower: str
    projection: str
    view_kind = "flip"
    has_separate_projection = False

    def __init__(
        self, description: BaseModelDescription, network: nn.Module, tokenizer: TextTokenizer, device: torch.device
    ) -> None:
        self.description = description
        self.network = network.to(device).eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.device = device
        self.text = TextEncoding(network, tokenizer.pad_token_id)
        self.precision = encoder_precision(device)
        self.frozen = self._frozen_network()

    @abstractmethod
    def _frozen_network(self) -> FrozenNetwork:
        """What an engine may run."""

    def offer_engine(self, offer: EngineOffer | None) -> None:
        """Let an engine run the item tower while it is frozen; None: PyTorch alone."""
        self.frozen.offer(offer)

    @cached_property
    def width(self) -> int:
        """d, which prompts have in common with items."""
        with torch.inference_mode():
            return int(self.text(self.text.cut(self.tokenizer(["a"])).to(self.device)).shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, with those that an engine holds beside them."""
        return bytes_of(self.network) + self.frozen.nbytes

    @property
    def engine_used(self) -> EngineUsed:
        """What runs the item tower."""
        return self.frozen.used(self.precision)

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

    def with_network(self, network: nn.Module) -> Self:
        """The same model around another network of the same architecture."""
        model = self._around(network)
        model.precision = self.precision
        model.offer_engine(self.frozen.accepted_offer)
        return model

    @abstractmethod
    def _around(self, network: nn.Module) -> Self:
        """A model as this one around another network."""

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

    def copy(self) -> Self:
        """The same model with parameters of its own."""
        return self.with_network(copy.deepcopy(self.network))

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

    def computing_in(self, precision: Precision | None) -> Self:
        """The same network, computing in a precision; None leaves this model's own."""
        return with_precision(self, precision)

    @cached_property
    def sha256(self) -> str:
        """Hash of the pretrained weights: names, shapes and bytes of every tensor, in order of name."""
        return weights_hash(self.network.state_dict())
