"""The encoder that a language model is: items to the hidden states at the mask, after the head's transform."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName
from pouf_core.contract.language_template import Template
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.engines.interface import EngineOffer
from pouf_core.families.context_vectors import NO_CONTEXT, context_in_place
from pouf_core.families.encoder_network import EncoderNetwork
from pouf_core.families.family import Tokenizer
from pouf_core.families.language.at_the_mask import AtTheMask, packed_batch
from pouf_core.families.language.batch import Batch, make_batch
from pouf_core.families.language.heads import output_head
from pouf_core.families.language.item_tokenizer import MOST_TOKENS, ItemTokenizer, ItemTokens, Kind
from pouf_core.families.pretrained import PADDED_POSITIONS
from pouf_core.families.trained_tensors import put_values, tied_names, untie, weights_hash
from pouf_core.scoring import single_or_double
from pouf_core.system.runtime import autocast_to, encoder_precision


class LanguageEncoder(EncoderNetwork):
    """A language model as an encoder of items.

    Args:
        description: name, modality and tune modes.
        kind: `masked` or `causal`.
        network: a Hugging Face model with a head.
        tokenizer: its tokenizer.
        device: where the network lives.

    Attributes:
        head: the network's head.
        frozen: what an engine may run: a masked model without context vectors, which PyTorch puts between tokens.
    """

    def __init__(
        self, description: BaseModelDescription, kind: Kind, network: Any, tokenizer: Tokenizer, device: torch.device
    ) -> None:
        super().__init__(description, network, device)
        self.kind: Kind = kind
        self.head = output_head(network)
        self.tokenizer = tokenizer
        self._one_context = threading.Lock()
        self.frozen = FrozenNetwork(
            AtTheMask(network, self.head.transform),
            lambda: packed_batch(self.batch([_example_of(length) for length in (6, 4)])),
            (-1, -1),
            lambda: f"{weights_hash(network.state_dict())} {network.config.to_json_string()}",
            f"the language model {description.name}",
        )

    @property
    def longest(self) -> int:
        """Tokens that an item may have, special ones included."""
        config = self.network.config
        positions = int(config.max_position_embeddings)
        if config.model_type in PADDED_POSITIONS:
            positions -= int(self.network.base_model.embeddings.word_embeddings.padding_idx) + 1
        return min(positions, int(self.tokenizer.model_max_length), MOST_TOKENS)

    def with_weights(self, weights: Mapping[str, Tensor]) -> Self:
        """The same model with other values of some parameters; the rest of the parameters are shared.

        Args:
            weights: values by the parameters' names, by each of them where one that is tied here was trained apart;
                empty for a network of its own that shares every parameter.

        Raises:
            ArtifactError: as `put_values`.
        """
        shared = [item for name, item in self.network.named_parameters() if name not in weights]
        network = copy.deepcopy(self.network, {id(parameter): parameter for parameter in shared})
        for name in tied_names(network) & weights.keys():
            untie(network, name)
        put_values(network, weights)
        return self.with_network(network)

    def untie_rows(self) -> None:
        """Give the head rows of its own in place of the input embeddings, where the network has a place for them."""
        tied = dict(self.network.named_parameters(remove_duplicate=False))
        for name in tied_names(self.network):
            if tied[name] is self.head.rows:
                untie(self.network, name)
        self.head = output_head(self.network)

    @property
    def width(self) -> int:
        """d."""
        return int(self.head.rows.shape[1])

    def offer_engine(self, offer: EngineOffer | None) -> None:
        """Let an engine run a masked model while it is frozen; a causal one runs by PyTorch."""
        self.frozen.offer(offer if self.kind == "masked" else None)

    @property
    def weights_key(self) -> str:
        """Equal keys mean that equal tokens get equal features: the weights' hash, and an unusual precision."""
        unusual = self.precision != encoder_precision(self.device)
        return f"{self.sha256}-{self.precision}" if unusual else self.sha256

    def _around(self, network: Any) -> Self:
        return type(self)(self.description, self.kind, network, self.tokenizer, self.device)

    @property
    def input_embedding(self) -> nn.Embedding:
        """Token ids to the embeddings that context vectors stand in for."""
        embedding: nn.Embedding = self.network.get_input_embeddings()
        return embedding

    def item_tokenizer(
        self,
        template: Template,
        words: Sequence[Sequence[str]],
        classes: Sequence[ClassName],
        limits: Mapping[str, int] | None = None,
        longest: int | None = None,
    ) -> ItemTokenizer:
        """The tokenizer of items for a template and K classes; arguments and errors as `ItemTokenizer`."""
        most = min(longest or self.longest, self.longest)
        return ItemTokenizer(self.tokenizer, template, words, classes, kind=self.kind, longest=most, limits=limits)

    def batch(self, items: Sequence[ItemTokens]) -> Batch:
        """The items' tokens as one batch on the model's device."""
        pads = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        pad_id = next(number for number in pads if number is not None)
        return make_batch(items, kind=self.kind, pad_id=pad_id, device=self.head.rows.device)

    def initial_context(self, tokenizer: ItemTokenizer) -> Tensor:
        """[N, width] embeddings of the template's own words, where context vectors start."""
        rows = torch.tensor(tokenizer.context_ids, dtype=torch.long, device=self.input_embedding.weight.device)
        return self.input_embedding.weight.detach()[rows].clone()

    def features(self, batch: Batch, context: Tensor | None = None) -> Tensor:
        """Features [B, d]: the hidden state at the mask, after the head's transform, not normalised.

        For a causal model it is the hidden state at the last token, which the label word would follow.

        Never in less than float32. Safe in several threads as long as those without a context use another network
        (see `with_weights`) than those with one.

        Args:
            batch: B items.
            context: [N, width] context vectors, in place of the template's words.
        """
        if self.kind == "masked" and context is None and not torch.is_grad_enabled():
            return single_or_double(self.frozen(packed_batch(batch), self.precision))
        inputs: dict[str, Tensor] = {"input_ids": batch.ids, "attention_mask": batch.attention}
        if self.kind == "causal":
            inputs["position_ids"] = batch.positions
        with autocast_to(self.precision, self.device):
            with self._context_in_place(context, batch.context):
                hidden: Tensor = self.network.base_model(**inputs).last_hidden_state
            features = self.head.transform(hidden[torch.arange(len(batch), device=hidden.device), batch.asked])
        return single_or_double(features)

    @contextmanager
    def _context_in_place(self, context: Tensor | None, placement: Tensor) -> Iterator[None]:
        if context is None:
            yield
            return
        with self._one_context, context_in_place(self.input_embedding, context, placement):
            yield


def _example_of(length: int) -> ItemTokens:
    return ItemTokens(tuple(range(1, length + 1)), length // 2, (NO_CONTEXT,) * length)
