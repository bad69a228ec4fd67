"""A language model with the classes of one request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.presets import label_word_bias, wanted_precision
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.texts import Text
from pouf_core.families.interface import Trunk
from pouf_core.families.language.encoder import LanguageEncoder
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.learner import LanguageLearner
from pouf_core.families.text_views import TextViews
from pouf_core.families.tokenizer_hash import tokenizer_hash
from pouf_core.system.runtime import computes_on


class PromptedLanguageModel:
    """A language model whose classes are label words; see `pouf_core.families.interface.PromptedModel`.

    Args:
        base: the base model; training changes its network in place.
        request: the classes, the template, the label words and the method.

    Raises:
        InvalidInput: a template or a label word that this model cannot take.
    """

    view_kind: str = "words"
    trunk: Trunk | None = None  # no projection head stands between the network and its features

    def __init__(self, base: LanguageEncoder, request: CheckedRequest) -> None:
        wording = request.wording
        template = wording.language_template
        assert template is not None  # a request over a language model has one
        self._base = base = base.computing_in(wanted_precision(request.method))
        self._tokenizer = base.item_tokenizer(template, wording.label_words, request.classes, wording.text_limits)
        self._reader = ItemReader(base, self._tokenizer)
        calibrates = label_word_bias(request.method, base.description.kind) == "null"
        self._word_bias = self._reader.null_bias(template.takes_pairs) if calibrates else None

    @property
    def encoder_key(self) -> str:
        """Made of the pretrained weights, the template and what else decides about an item's tokens."""
        base = self._base
        read = f"{self._tokenizer_hash} {self._reader.settings_key}"
        engine = "" if base.frozen.accepted_offer is None else "-engine"
        return f"items@{base.weights_key} {base.precision} {read} {computes_on(base.device)}{engine}"

    @cached_property
    def _tokenizer_hash(self) -> str:
        return tokenizer_hash(self._base.tokenizer)

    @property
    def engine_used(self) -> EngineUsed:
        """As of the base model."""
        return self._base.engine_used

    @property
    def context_scale(self) -> float:
        """Root mean square of the embeddings of the template's words; 0 where there are none."""
        context = self._base.initial_context(self._tokenizer)
        return float(context.pow(2).mean().sqrt()) if len(context) else 0.0

    @property
    def longest(self) -> int:
        """Tokens of an item that are read at most."""
        return self._tokenizer.longest

    def views(self, kind: str, seed: int) -> TextViews:
        """Versions of texts: as they are, or with words left out."""
        return TextViews(kind, seed)

    def encode_items(self, views: Sequence[Text]) -> Tensor:
        """Features [B, d] of B texts or pairs under the present weights and context vectors."""
        return self._reader(views)

    def zero_shot(self) -> LabelWordClassifier:
        """The base model's label words as they are now."""
        with torch.no_grad():
            return self._reader.classifier(self._word_bias)

    def learner(self, method: ResolvedMethod) -> LanguageLearner:
        """What a method trains."""
        return LanguageLearner(self._base, self._tokenizer, self._reader, method, self._word_bias)
