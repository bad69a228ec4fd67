"""Loading language models that transformers saved: `hf-mlm:<name or directory>` and `hf-causal:<name or directory>`."""

from __future__ import annotations

from typing import Any

import torch

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.findings import listed
from pouf_core.families.family import Tokenizer
from pouf_core.families.language.heads import check_head
from pouf_core.families.language.item_tokenizer import Kind
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.pretrained import (  # first: it makes torchvision importable
    WEIGHTS,
    check_finite,
    check_vocabulary,
    checkpoint_name,
    not_adaptable,
    quiet_transformers,
    read_pretrained,
)

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer  # isort: skip
from transformers.models.auto.modeling_auto import (  # isort: skip
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
)

_MODELS = {
    "masked": (AutoModelForMaskedLM, MODEL_FOR_MASKED_LM_MAPPING),
    "causal": (AutoModelForCausalLM, MODEL_FOR_CAUSAL_LM_MAPPING),
}


def load_language_model(description: BaseModelDescription, kind: Kind, device: torch.device) -> LanguageModel:
    """Load a language model; every call gives a network of its own, in float32 and evaluation mode.

    Only this machine's files are read, weights from safetensors alone, and code that a checkpoint brings along is never
    run.

    Args:
        description: its name ends with a directory, or the name of a model in transformers' cache, after a colon.
        kind: `masked` or `causal`.
        device: where to put it.

    Raises:
        InvalidInput: `base_model_not_adaptable` for a head that is not known (before any weights are read), a
            checkpoint without a head, or a tokenizer without offsets or mask.
        PoufError: `base_model_unavailable` when configuration, weights or tokenizer cannot be read.
    """
    spec = description.name
    name = _checkpoint(spec)
    with quiet_transformers():
        config = read_pretrained(spec, AutoConfig, name, local_files_only=True)
        _check_class(spec, config, kind)
        network = _read_network(spec, kind, name, config)
        tokenizer = load_tokenizer(spec, kind)
    check_finite(spec, network)
    return LanguageModel(description, kind, network, tokenizer, device)


def load_tokenizer(spec: str, kind: Kind) -> Tokenizer:
    """A language model's tokenizer alone, which is small; arguments and errors as `load_language_model`."""
    tokenizer: Tokenizer = read_pretrained(spec, AutoTokenizer, _checkpoint(spec), local_files_only=True)
    check_vocabulary(spec, tokenizer)
    if not tokenizer.is_fast:
        raise not_adaptable(spec, "its tokenizer does not tell where in the text its tokens are")
    if kind == "masked" and tokenizer.mask_token_id is None:
        raise not_adaptable(spec, "its tokenizer has no mask token")
    return tokenizer


def _checkpoint(spec: str) -> str:
    return checkpoint_name(spec.partition(":")[2])


def _check_class(spec: str, config: Any, kind: Kind) -> None:
    mapping = _MODELS[kind][1]
    if type(config) not in mapping:
        raise not_adaptable(spec, f"transformers has no {kind} language model of type {config.model_type!r}")
    found = mapping[type(config)]
    check_head(found.__name__)


def _read_network(spec: str, kind: Kind, name: str, config: Any) -> Any:
    options = {"config": config, "local_files_only": True, **WEIGHTS}
    network, report = read_pretrained(spec, _MODELS[kind][0], name, **options)
    if report["missing_keys"] and _has_new_deberta_head(config, report["unexpected_keys"]):
        config.legacy = False
        network, report = read_pretrained(spec, _MODELS[kind][0], name, **options)
    if missing := report["missing_keys"]:
        raise not_adaptable(
            spec,
            f"the checkpoint has no weights for {listed(sorted(missing))}, which would be random; "
            "a bare encoder has no language-model head",
        )
    return network


def _has_new_deberta_head(config: Any, unexpected: set[str]) -> bool:
    """Published DeBERTa-v3 weights hold the new head while their configuration leaves the old one switched on."""
    return bool(getattr(config, "legacy", False)) and any(key.startswith("lm_predictions.") for key in unexpected)
