"""What is trained of a language model: context vectors, or some of the network's parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.contract.method import ResolvedMethod
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.learner import CONTEXT, NETWORK, copies_of
from pouf_core.families.language.encoder import Encoder
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.language.parameters import trained_parameters


class LanguageLearner:
    """A language model with the parameters that this adaptation trains; see `interface.Trainable`.

    Every mode changes the items' features: context vectors stand around the text.

    Args:
        base: the language model; its network is changed in place by every mode but `prompt`.
        encoder: the template and the label words.
        reader: encodes the items; from now on with the context vectors, where these are trained.
        method: the resolved method.
        word_bias: [K] taken off the class logits, or None.

    Raises:
        InvalidInput: `nothing_to_tune` when the template has no words to learn.
    """

    trains_item_encoder = True
    prompts_at_once = 1  # classes are rows of the head: no prompt is encoded for them

    def __init__(
        self,
        base: LanguageModel,
        encoder: Encoder,
        reader: ItemReader,
        method: ResolvedMethod,
        word_bias: Tensor | None,
    ) -> None:
        self._base = base
        self._reader = reader
        self._word_bias = word_bias
        self._rate = method.learning_rate
        self._trained = {
            NETWORK + name: parameter for name, parameter in trained_parameters(base.network, method.tune).items()
        }
        if method.tune == "prompt":
            context = nn.Parameter(_some(base.initial_context(encoder)))
            self._trained[CONTEXT] = reader.context = context
        for parameter in self._trained.values():
            parameter.requires_grad_(True)

    @property
    def device(self) -> torch.device:
        """Where the trained tensors live."""
        return self._base.device

    def classifier(self) -> LabelWordClassifier:
        """The classes under the present parameters."""
        return self._reader.classifier(self._word_bias)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trained parameters with their initial learning rate, as `torch.optim` takes them."""
        return [{"params": list(self._trained.values()), "lr": self._rate}]

    def penalty(self, classifier: LabelWordClassifier) -> None:
        """Nothing is held back."""

    def after_step(self) -> None:
        """Nothing has limits."""

    def halve_prompts(self) -> bool:
        """There is nothing to halve."""
        return False

    def tensors(self) -> dict[str, Tensor]:
        """Copies of everything trained, by name: `context` or `network.<parameter>`."""
        return copies_of(self._trained)

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        with torch.no_grad():
            for name, value in tensors.items():
                self._trained[name].copy_(value)


def _some(context: Tensor) -> Tensor:
    if not len(context):
        raise InvalidInput(
            "nothing_to_tune",
            "Prompt tuning learns the template's words, and this template has none beside the text and the mask.",
            field="/prompt_template",
        )
    return context
