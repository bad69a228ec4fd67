"""Items to f: the template is put around them, learned context vectors stand in for its words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch
from torch import Tensor

from pouf_core.data.texts import Text, text_item
from pouf_core.families.language.encoder import Encoder
from pouf_core.families.language.label_bias import label_word_bias, null_items
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.model import LanguageModel

_INPUTS = "/inputs"


class ItemReader:
    """Encodes the items of one request.

    Args:
        model: the language model.
        encoder: the template and the label words.
        context: [N, width] context vectors in place of the template's words, or None for the words themselves.

    Attributes:
        context: as given; training sets it.
    """

    def __init__(self, model: LanguageModel, encoder: Encoder, context: Tensor | None = None) -> None:
        self._model = model
        self._encoder = encoder
        self.context = context

    @property
    def settings_key(self) -> str:
        """Equal keys mean that equal items become equal tokens, for one tokenizer."""
        settings = json.dumps(self._encoder.settings, sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:16]

    def __call__(self, texts: Sequence[Text]) -> Tensor:
        """f [B, d] of B texts or pairs, not normalised, with gradients where they are enabled.

        Raises:
            InvalidInput: as `Encoder.__call__`.
        """
        with_context = self.context is not None
        encoded = [
            self._encoder(text_item(text), f"{_INPUTS}/{index}", with_context=with_context)
            for index, text in enumerate(texts)
        ]
        return self._model.features(self._model.batch(encoded), self.context)

    def encode_plain(self, texts: Sequence[Text]) -> Tensor:
        """f [B, d] on the CPU, without gradients."""
        with torch.inference_mode():
            return self(texts).float().cpu()

    def classifier(self, word_bias: Tensor | None) -> LabelWordClassifier:
        """The classes under the model's present weights, with gradients where they are enabled."""
        return LabelWordClassifier.of(self._model.head, self._encoder.word_ids, word_bias)

    def null_bias(self, takes_pairs: bool) -> Tensor:
        """[K] what the label words lean to on items without content, under the model's present weights."""
        with torch.no_grad():
            return label_word_bias(self.classifier(None)(self(null_items(takes_pairs))).class_logits)
