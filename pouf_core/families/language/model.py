"""A loaded language model: items to features, which are the hidden states at the mask after the head's transform."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.language_template import Template
from pouf_core.contract.manifest import Manifest
from pouf_core.contract.method import Precision
from pouf_core.contract.presets import wanted_precision
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.texts import Text, TextItem, clean_item
from pouf_core.engines.frozen import FrozenNetwork, bytes_of
from pouf_core.engines.interface import EngineOffer
from pouf_core.errors import InvalidInput
from pouf_core.families.context_vectors import NO_CONTEXT, context_in_place
from pouf_core.families.family import Tokenizer
from pouf_core.families.interface import EncoderPair, PromptedModel, SharedEncoder
from pouf_core.families.language.at_the_mask import AtTheMask, packed_batch
from pouf_core.families.language.batch import Batch, make_batch
from pouf_core.families.language.heads import output_head
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.item_tokenizer import MOST_TOKENS, ItemTokenizer, ItemTokens, Kind
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.prompted import PromptedLanguageModel
from pouf_core.families.pretrained import PADDED_POSITIONS
from pouf_core.families.trained_tensors import (
    CONTEXT,
    check_value,
    network_parameters,
    put_values,
    tied_names,
    untie,
    weights_hash,
)
from pouf_core.scoring import single_or_double
from pouf_core.system.runtime import autocast_to, encoder_precision, with_precision


class LanguageModel:
    """A language model as a classifier's encoder.

    Args:
        description: name, modality and tune modes.
        kind: `masked` or `causal`.
        network: a Hugging Face model with a head; it stays in eval mode, so dropout is off.
        tokenizer: its tokenizer.
        device: where the network lives.

    Attributes:
        head: the network's head.
        precision: what the network computes in: bfloat16 (by autocast) on a GPU, else float32.
        frozen: what an engine may run: a masked model without context vectors.
    """

    def __init__(
        self, description: BaseModelDescription, kind: Kind, network: Any, tokenizer: Tokenizer, device: torch.device
    ) -> None:
        self.description = description
        self.kind: Kind = kind
        self.network = network.to(device).eval().requires_grad_(False)
        self.head = output_head(network)
        self.tokenizer = tokenizer
        self.device = device
        self.precision = encoder_precision(device)
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

    @cached_property
    def sha256(self) -> str:
        """Hash of the pretrained weights: names, shapes and bytes of every tensor, in order of name."""
        return weights_hash(self.network.state_dict())

    def copy(self) -> LanguageModel:
        """The same model with parameters of its own."""
        return self._around(copy.deepcopy(self.network))

    def with_weights(self, weights: Mapping[str, Tensor]) -> LanguageModel:
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
        return self._around(network)

    def untie_rows(self) -> None:
        """Give the head rows of its own in place of the input embeddings, where the network has a place for them."""
        tied = dict(self.network.named_parameters(remove_duplicate=False))
        for name in tied_names(self.network):
            if tied[name] is self.head.rows:
                untie(self.network, name)
        self.head = output_head(self.network)

    def computing_in(self, precision: Precision | None) -> LanguageModel:
        """The same network, computing in a precision; None leaves this model's own."""
        return with_precision(self, precision)

    @property
    def width(self) -> int:
        """d."""
        return int(self.head.rows.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, with those that an engine holds beside them."""
        return bytes_of(self.network) + self.frozen.nbytes

    @property
    def engine_used(self) -> EngineUsed:
        """What runs the network without context vectors; PyTorch puts these between tokens."""
        return self.frozen.used(self.precision)

    def offer_engine(self, offer: EngineOffer | None) -> None:
        """Let an engine run a masked model while it is frozen; a causal one runs by PyTorch."""
        self.frozen.offer(offer if self.kind == "masked" else None)

    @property
    def weights_key(self) -> str:
        """Equal keys mean that equal tokens get equal features: the weights' hash, and an unusual precision."""
        unusual = self.precision != encoder_precision(self.device)
        return f"{self.sha256}-{self.precision}" if unusual else self.sha256

    def _around(self, network: Any) -> LanguageModel:
        model = LanguageModel(self.description, self.kind, network, self.tokenizer, self.device)
        model.precision = self.precision
        model.offer_engine(self.frozen.accepted_offer)
        return model

    def of_artifact(self, tensors: Mapping[str, Tensor]) -> LanguageModel:
        """The model itself: it is the same for every artifact."""
        return self

    def prompted(self, request: CheckedRequest) -> PromptedModel[Text]:
        """Bring it together with the classes of a request; training then changes its network in place.

        Raises:
            InvalidInput: a template or a label word that it cannot take.
        """
        return PromptedLanguageModel(self, request)

    def encoders(self, trained: Mapping[str, Tensor], manifest: Manifest) -> EncoderPair:
        """The encoders of an artifact, whose manifest tells template, label words and limits."""
        request = manifest.request.check(self.description)
        wording, template = request.wording, request.wording.language_template
        assert template is not None  # a request over a language model has one
        words, limits = wording.label_words, wording.text_limits
        tokenizer = self.item_tokenizer(template, words, request.classes, limits, longest=manifest.longest)
        base = self.computing_in(wanted_precision(request.method))
        reader = ItemReader(base, tokenizer)
        own = SharedEncoder(f"{self.description.name}@{base.weights_key}@{reader.settings_key}", reader.encode_plain)
        weights, context = network_parameters(trained), trained.get(CONTEXT)
        if not weights and context is None:
            return EncoderPair(adapted=own, zero_shot=own)
        if context is not None:
            check_value(CONTEXT, context, self.initial_context(tokenizer).shape)
        placed = None if context is None else context.to(self.device)
        adapted = ItemReader(base.with_weights(weights), tokenizer, placed)
        key = f"{own.key}+{weights_hash(weights | ({} if context is None else {CONTEXT: context}))}"
        nbytes = sum(tensor.nbytes for tensor in weights.values())
        if context is None and self.frozen.accepted_offer is not None:
            nbytes += bytes_of(self.network)  # an engine keeps weights of its own
        return EncoderPair(adapted=SharedEncoder(key, adapted.encode_plain, nbytes), zero_shot=own)

    def classifier(self, tensors: Mapping[str, Tensor]) -> LabelWordClassifier:
        """The classifier that gave these tensors."""
        return LabelWordClassifier.from_tensors(tensors)

    def decode(self, source: Any) -> TextItem:
        """A text or a pair of texts as it is encoded.

        Raises:
            InvalidInput: `wrong_modality`, `empty_text`, `text_too_long`, `undecodable_text`.
        """
        if not isinstance(source, str | TextItem):
            message = f"{self.description.name} takes texts, and this is a {type(source).__name__}."
            raise InvalidInput("wrong_modality", message)
        return clean_item(source)

    def size(self, item: TextItem) -> int:
        """Its length in characters."""
        return len(item)

    def encode_plain(self, items: Sequence[TextItem | str]) -> Tensor:
        """Features [n, d] at the last token of single texts, without any template: shows that the network runs."""
        texts = [item if isinstance(item, str) else item.text for item in items]
        rows = [self.tokenizer(text, truncation=True, max_length=self.longest)["input_ids"] for text in texts]
        tokens = [ItemTokens(tuple(row), len(row) - 1, (NO_CONTEXT,) * len(row)) for row in rows]
        with torch.inference_mode():
            return self.features(self.batch(tokens)).float().cpu()

    def encoder(self) -> SharedEncoder:
        """The encoder of `encode_plain`; predictors, which read items within their template, share another."""
        return SharedEncoder(f"{self.description.name}@{self.weights_key}", self.encode_plain)

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
