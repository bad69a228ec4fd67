"""The language-model heads that are known: the transform of the hidden state, and the rows of the vocabulary.

A head is: hidden state -> transform -> features -> features @ rows.T + bias. In a masked language model the transform
is a dense layer, the model's own activation and a layer norm; in a causal one it is nothing: the features are the last
hidden state after the final norm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from pouf_core.errors import InvalidInput


@dataclass(frozen=True)
class OutputHead:
    """The output side of a language model. Rows and bias are the network's own parameters, tied where it ties them.

    Attributes:
        steps: of the transform, in order; the last is a module of the network, whose output is the features. None in a
            causal model.
        rows: [V, d] one row a token of the vocabulary.
        bias: [V], or None.
    """

    steps: tuple[Callable[[Tensor], Tensor], ...]
    rows: Tensor
    bias: Tensor | None

    def transform(self, hidden: Tensor) -> Tensor:
        """Features [..., d] of hidden states [..., h]."""
        for step in self.steps:
            hidden = step(hidden)
        return hidden


def output_head(network: nn.Module) -> OutputHead:
    """The head of a network.

    Raises:
        InvalidInput: as `check_head`.
    """
    name = type(network).__name__
    check_head(name)
    return _HEADS[name](network)


def check_head(class_name: str) -> None:
    """Refuse a head whose parts are not known.

    Raises:
        InvalidInput: `base_model_not_adaptable`.
    """
    if class_name not in _HEADS:
        raise InvalidInput(
            "base_model_not_adaptable",
            f"The head of {class_name} is not known. Known heads: {', '.join(sorted(_HEADS))}.",
            field="/base_model",
        )


def _linear(steps: tuple[Callable[[Tensor], Tensor], ...], decoder: nn.Linear) -> OutputHead:
    return OutputHead(steps, decoder.weight, decoder.bias)


def _bert(network: Any) -> OutputHead:
    predictions = network.cls.predictions
    return _linear((predictions.transform,), predictions.decoder)


def _roberta(network: Any) -> OutputHead:
    head = network.lm_head
    return _linear((head.dense, nn.functional.gelu, head.layer_norm), head.decoder)


def _distilbert(network: Any) -> OutputHead:
    transform = (network.vocab_transform, network.activation, network.vocab_layer_norm)
    return _linear(transform, network.vocab_projector)


def _albert(network: Any) -> OutputHead:
    head = network.predictions
    return _linear((head.dense, head.activation, head.LayerNorm), head.decoder)


def _electra(network: Any) -> OutputHead:
    return _linear((network.generator_predictions,), network.generator_lm_head)


def _deberta(network: Any) -> OutputHead:
    if network.legacy:
        return _bert(network)
    head = network.lm_predictions.lm_head  # `get_output_embeddings()` gives its dense layer, no rows of the vocabulary
    transform = (head.dense, head.transform_act_fn, head.LayerNorm)
    return OutputHead(transform, network.deberta.embeddings.word_embeddings.weight, head.bias)


def _modernbert(network: Any) -> OutputHead:
    return _linear((network.head,), network.decoder)


def _causal(network: Any) -> OutputHead:
    return _linear((), network.lm_head)


_HEADS: dict[str, Callable[[Any], OutputHead]] = {
    "AlbertForMaskedLM": _albert,
    "BertForMaskedLM": _bert,
    "DebertaForMaskedLM": _deberta,
    "DebertaV2ForMaskedLM": _deberta,
    "DistilBertForMaskedLM": _distilbert,
    "ElectraForMaskedLM": _electra,
    "MPNetForMaskedLM": _roberta,
    "ModernBertForMaskedLM": _modernbert,
    "RobertaForMaskedLM": _roberta,
    "XLMRobertaForMaskedLM": _roberta,
    "GPT2LMHeadModel": _causal,
    "LlamaForCausalLM": _causal,
    "Qwen2ForCausalLM": _causal,
    "Qwen3ForCausalLM": _causal,
}
