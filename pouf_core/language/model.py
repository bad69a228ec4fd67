"""A loaded language model: items to f."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.classes import ClassName
from pouf_core.language.batch import Batch, make_batch
from pouf_core.language.encoder import NO_CONTEXT, Encoded, Encoder, Kind
from pouf_core.language.heads import OutputHead
from pouf_core.language.template import Template

_PADDED_POSITIONS = ("roberta", "xlm-roberta", "mpnet")  # their positions count from the padding token's number + 1


class LanguageModel:
    """A language model as a classifier's encoder.

    Args:
        name: what it was loaded by.
        kind: `masked` or `causal`.
        network: a Hugging Face model with a head.
        head: that network's head.
        tokenizer: its tokenizer.
    """

    def __init__(self, name: str, kind: Kind, network: Any, head: OutputHead, tokenizer: Any) -> None:
        self.name = name
        self.kind: Kind = kind
        self.network = network
        self.head = head
        self.tokenizer = tokenizer

    @property
    def longest(self) -> int:
        """Tokens that an item may have, special ones included."""
        config = self.network.config
        positions = int(config.max_position_embeddings)
        if config.model_type in _PADDED_POSITIONS:
            positions -= int(self.network.base_model.embeddings.word_embeddings.padding_idx) + 1
        return min(positions, int(self.tokenizer.model_max_length))

    @property
    def input_embedding(self) -> nn.Embedding:
        """Token ids to the embeddings that context vectors stand in for."""
        embedding: nn.Embedding = self.network.get_input_embeddings()
        return embedding

    def encoder(
        self,
        template: Template,
        words: Sequence[Sequence[str]],
        classes: Sequence[ClassName],
        limits: Mapping[str, int] | None = None,
    ) -> Encoder:
        """The encoder of items for a template and K classes; arguments and errors as `Encoder`."""
        return Encoder(self.tokenizer, template, words, classes, kind=self.kind, longest=self.longest, limits=limits)

    def batch(self, items: Sequence[Encoded]) -> Batch:
        """Encoded items as one batch on the model's device."""
        pads = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        pad_id = next(number for number in pads if number is not None)
        return make_batch(items, kind=self.kind, pad_id=pad_id, device=self.head.rows.device)

    def initial_context(self, encoder: Encoder) -> Tensor:
        """[N, width] embeddings of the template's own words, where context vectors start."""
        rows = torch.tensor(encoder.context_ids, dtype=torch.long, device=self.input_embedding.weight.device)
        return self.input_embedding.weight.detach()[rows].clone()

    def features(self, batch: Batch, context: Tensor | None = None) -> Tensor:
        """f [B, d]: the head's transform of the hidden state where the label word is asked for, not normalised.

        Args:
            batch: B items.
            context: [N, width] context vectors, in place of the template's words.
        """
        inputs: dict[str, Tensor] = {"input_ids": batch.ids, "attention_mask": batch.attention}
        if self.kind == "causal":
            inputs["position_ids"] = batch.positions
        with self._context_in_place(context, batch.context):
            hidden: Tensor = self.network.base_model(**inputs).last_hidden_state
        return self.head.transform(hidden[torch.arange(len(batch), device=hidden.device), batch.asked])

    @contextmanager
    def _context_in_place(self, context: Tensor | None, placement: Tensor) -> Iterator[None]:
        if context is None:
            yield
            return
        learned = (placement != NO_CONTEXT).unsqueeze(-1)
        index = placement.clamp(min=0)

        def put_context(_module: nn.Module, _inputs: Any, embedded: Tensor) -> Tensor:
            return torch.where(learned, context[index].to(embedded.dtype), embedded)

        handle = self.input_embedding.register_forward_hook(put_context)
        try:
            yield
        finally:
            handle.remove()
