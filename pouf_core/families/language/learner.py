"""What is trained of a language model: context vectors, or some of the network's parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.tune_modes import TUNE_MODES, Tune
from pouf_core.errors import InvalidInput
from pouf_core.families.interface import ParameterGroup
from pouf_core.families.language.encoder import LanguageEncoder
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.item_tokenizer import ItemTokenizer
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.trained_tensors import CONTEXT, NETWORK, copies_of, normalisation_names
from pouf_core.scoring import Classifier


class LanguageLearner:
    """A language model with the parameters that this adaptation trains; see `interface.Trainable`.

    Every mode changes the items' features: context vectors stand around the text.

    Args:
        base: the language model; training the network's parameters changes it in place.
        tokenizer: the template and the label words.
        reader: encodes the items; from now on with the context vectors, where these are trained.
        method: the resolved method.
        word_bias: [K] the contextual calibration bias, subtracted from the class logits, or None.

    Raises:
        InvalidInput: `nothing_to_tune` when the template has no words to learn.
    """

    trains_item_encoder = True
    prompts_at_once = 1  # classes are rows of the head: no prompt is encoded for them

    def __init__(
        self,
        base: LanguageEncoder,
        tokenizer: ItemTokenizer,
        reader: ItemReader,
        method: ResolvedMethod,
        word_bias: Tensor | None,
    ) -> None:
        self._base = base
        self._reader = reader
        self._word_bias = word_bias
        self._rate = method.learning_rate
        if method.untied_rows and method.tune == "model":
            base.untie_rows()
        parameters = trained_parameters(base.network, method.tune)
        self._trained = {NETWORK + name: parameter for name, parameter in parameters.items()}
        if TUNE_MODES[method.tune].learner == "context":
            context = nn.Parameter(_some(base.initial_context(tokenizer)))
            self._trained[CONTEXT] = reader.context = context
        for parameter in self._trained.values():
            parameter.requires_grad_(True)
        base.frozen.release_if_trained()

    @property
    def device(self) -> torch.device:
        """Where the trained tensors live."""
        return self._base.device

    def classifier(self) -> LabelWordClassifier:
        """The classes under the present parameters."""
        return self._reader.classifier(self._word_bias)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Everything at one learning rate."""
        return [ParameterGroup(list(self._trained.values()), self._rate)]

    def penalty(self, classifier: Classifier) -> None:
        """There is none."""

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


def trained_parameters(network: nn.Module, tune: Tune) -> dict[str, nn.Parameter]:
    """The parameters of a network that a tune mode trains, by name; a tied one appears once.

    Args:
        network: a Hugging Face model with a language-model head.
        tune: `model` (all weights and the head) or `norm` (scales and shifts of normalisation layers, the head's too);
            none for a mode that trains no parameters of the network.
    """
    everything = dict(network.named_parameters())
    if tune == "model":
        return everything
    wanted = normalisation_names(network) if tune == "norm" else set()
    return {name: parameter for name, parameter in everything.items() if name in wanted}
