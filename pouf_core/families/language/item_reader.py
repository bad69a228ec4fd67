"""Items to features: the template is put around them, learned context vectors stand in for its words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch
from torch import Tensor

from pouf_core.data.texts import Text, TextItem, text_item
from pouf_core.families.language.encoder import LanguageEncoder
from pouf_core.families.language.item_tokenizer import ItemTokenizer
from pouf_core.families.language.label_word_classifier import LabelWordClassifier

NULL_TEXTS = ("", "N/A")  # after Zhao et al., "Calibrate before use", ICML 2021
_INPUTS = "/inputs"


class ItemReader:
    """Encodes the items of one request.

    Args:
        model: the language model.
        tokenizer: the template and the label words.
        context: [N, width] context vectors in place of the template's words, or None for the words themselves.

    Attributes:
        context: as given; training sets it.
    """

    def __init__(self, model: LanguageEncoder, tokenizer: ItemTokenizer, context: Tensor | None = None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self.context = context

    @property
    def settings_key(self) -> str:
        """Equal keys mean that equal items become equal tokens, for one tokenizer."""
        settings = json.dumps(self._tokenizer.settings, sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:16]

    def __call__(self, texts: Sequence[Text]) -> Tensor:
        """Features [B, d] of B texts or pairs, see `LanguageEncoder.features`, with gradients where they are enabled.

        Raises:
            InvalidInput: as `ItemTokenizer.__call__`.
        """
        with_context = self.context is not None
        tokens = [
            self._tokenizer(text_item(text), f"{_INPUTS}/{index}", with_context=with_context)
            for index, text in enumerate(texts)
        ]
        return self._model.features(self._model.batch(tokens), self.context)

    def encode_plain(self, texts: Sequence[Text]) -> Tensor:
        """Features [B, d] on the CPU, without gradients."""
        with torch.inference_mode():
            return self(texts).float().cpu()

    def classifier(self, calibration_bias: Tensor | None) -> LabelWordClassifier:
        """The classes under the model's present weights, with gradients where they are enabled.

        Args:
            calibration_bias: [K], subtracted from the class logits; None for nothing.
        """
        return LabelWordClassifier.of(self._model.head, self._tokenizer.word_ids, calibration_bias)

    def null_bias(self, takes_pairs: bool) -> Tensor:
        """Contextual calibration bias [K] on items without content, under the model's present weights."""
        with torch.no_grad():
            return calibration_bias(self.classifier(None)(self(null_items(takes_pairs))).class_logits)


def null_items(takes_pairs: bool) -> list[TextItem]:
    """Items without content, for a template of one text or two."""
    return [TextItem(text, text if takes_pairs else None) for text in NULL_TEXTS]


def calibration_bias(class_logits: Tensor) -> Tensor:
    """The contextual calibration bias [K], to be subtracted from class logits: log of the mean class probabilities.

    Estimated on items without content. Estimated on the unlabelled data it would also remove that the data has more of
    one class, and so assume balance; where balance is known, that is the better estimate.

    Args:
        class_logits: [n, K].

    Raises:
        ValueError: n is 0.
    """
    if not len(class_logits):
        raise ValueError("The contextual calibration bias needs at least one item.")
    return class_logits.detach().softmax(dim=1).mean(dim=0).log()
