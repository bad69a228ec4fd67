"""A loaded language model as a base model, whose classes are label words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pouf_core.contract.manifest import Manifest
from pouf_core.contract.presets import wanted_precision
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.texts import Text, TextItem, clean_item, given_text
from pouf_core.engines.frozen import bytes_of
from pouf_core.families.context_vectors import NO_CONTEXT
from pouf_core.families.interface import EncoderPair, PromptedModel, SharedEncoder
from pouf_core.families.language.encoder import LanguageEncoder
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.item_tokenizer import ItemTokens
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.prompted import PromptedLanguageModel
from pouf_core.families.trained_tensors import CONTEXT, check_value, network_parameters, weights_hash


class LanguageModel(LanguageEncoder):
    """A language model that classifies; see `pouf_core.families.interface.BaseModel`."""

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
        return clean_item(given_text(source, self.description.name))

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
