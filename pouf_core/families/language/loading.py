"""Loading language models by name: `minilm-mlm`, `hf-mlm:<name or directory>` and `hf-causal:<name or directory>`."""

from __future__ import annotations

from typing import Any

import torch

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.errors import InvalidInput
from pouf_core.families.catalogue import MINILM_MLM, describe
from pouf_core.families.language.encoder import Kind
from pouf_core.families.language.heads import check_head
from pouf_core.families.language.minilm_mlm import build_minilm_mlm, minilm_tokenizer
from pouf_core.families.language.model import LanguageModel
from pouf_core.system.torchvision_compat import ensure_torchvision_imports

ensure_torchvision_imports()  # transformers imports torchvision where it finds one

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer  # noqa: E402
from transformers.models.auto.modeling_auto import (  # noqa: E402
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
)

from pouf_core.families.cosine.pretrained import (  # noqa: E402
    WEIGHTS,
    checkpoint_name,
    name_missing,
    not_adaptable,
    read_pretrained,
)
from pouf_core.families.cosine.quiet import quiet_transformers  # noqa: E402

_KINDS: dict[str, Kind] = {"hf-mlm": "masked", "hf-causal": "causal"}
_MODELS = {
    "masked": (AutoModelForMaskedLM, MODEL_FOR_MASKED_LM_MAPPING),
    "causal": (AutoModelForCausalLM, MODEL_FOR_CAUSAL_LM_MAPPING),
}


def load_language_model(
    description: BaseModelDescription | str, device: torch.device | str = "cpu", *, local_files_only: bool = True
) -> LanguageModel:
    """Load a language model; every call gives a network of its own, in float32 and evaluation mode.

    Weights are read from safetensors only and code that a checkpoint brings along is never run.

    Args:
        description: of `minilm-mlm`, `hf-mlm:<name or directory>` or `hf-causal:<name or directory>`, or that name.
        device: where to put it.
        local_files_only: never fetch anything.

    Raises:
        InvalidInput: `unknown_base_model`; `base_model_not_adaptable` for a head that is not known (before any weights
            are read), a checkpoint without a head, or a tokenizer without offsets or mask.
        PoufError: `base_model_unavailable` when configuration, weights or tokenizer cannot be read or fetched.
    """
    if isinstance(description, str):
        description = describe(description)
    if description.family == "minilm-mlm":
        return LanguageModel(description, "masked", build_minilm_mlm(), minilm_tokenizer(), torch.device(device))
    spec = description.name
    kind, name = _parse(spec)
    options = {"local_files_only": local_files_only}
    with quiet_transformers():
        config = read_pretrained(spec, AutoConfig, name, **options)
        _check_class(spec, config, kind)
        network = _read_network(spec, kind, name, config, options)
        tokenizer = read_pretrained(spec, AutoTokenizer, name, **options)
    _check_tokenizer(spec, tokenizer, kind)
    return LanguageModel(description, kind, network, tokenizer, torch.device(device))


def load_tokenizer(spec: str) -> tuple[Kind, Any]:
    """A language model's kind, and its tokenizer alone, which is small.

    Args:
        spec: as of `load_language_model`; only this machine's files are read.

    Raises:
        InvalidInput, PoufError: as `load_language_model`.
    """
    if spec == MINILM_MLM.name:
        return "masked", minilm_tokenizer()
    kind, name = _parse(spec)
    tokenizer = read_pretrained(spec, AutoTokenizer, name, local_files_only=True)
    _check_tokenizer(spec, tokenizer, kind)
    return kind, tokenizer


def _parse(spec: str) -> tuple[Kind, str]:
    family, _, name = spec.partition(":")
    if family not in _KINDS:
        message = f"Unknown language model {spec!r}: use hf-mlm:<name or directory> or hf-causal:<name or directory>."
        raise InvalidInput("unknown_base_model", message, field="/base_model")
    return _KINDS[family], checkpoint_name(name)


def _check_class(spec: str, config: Any, kind: Kind) -> None:
    mapping = _MODELS[kind][1]
    if type(config) not in mapping:
        raise not_adaptable(spec, f"transformers has no {kind} language model of type {config.model_type!r}")
    found = mapping[type(config)]
    check_head(found.__name__)


def _read_network(spec: str, kind: Kind, name: str, config: Any, options: dict[str, Any]) -> Any:
    options = {**options, **WEIGHTS}
    network, report = read_pretrained(spec, _MODELS[kind][0], name, config=config, **options)
    if report["missing_keys"] and _has_new_deberta_head(config, report["unexpected_keys"]):
        config.legacy = False
        network, report = read_pretrained(spec, _MODELS[kind][0], name, config=config, **options)
    if missing := report["missing_keys"]:
        raise not_adaptable(
            spec,
            f"the checkpoint has no weights for {name_missing(missing)}, which would be random; "
            "a bare encoder has no language-model head",
        )
    return network


def _has_new_deberta_head(config: Any, unexpected: set[str]) -> bool:
    """Published DeBERTa-v3 weights hold the new head while their configuration leaves the old one switched on."""
    return bool(getattr(config, "legacy", False)) and any(key.startswith("lm_predictions.") for key in unexpected)


def _check_tokenizer(spec: str, tokenizer: Any, kind: Kind) -> None:
    if not tokenizer.is_fast:
        raise not_adaptable(spec, "its tokenizer does not tell where in the text its tokens are")
    if kind == "masked" and tokenizer.mask_token_id is None:
        raise not_adaptable(spec, "its tokenizer has no mask token")
