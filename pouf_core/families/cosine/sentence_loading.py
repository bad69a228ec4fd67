"""Loading sentence encoders: `minilm`, and directories that sentence-transformers saved."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from open_clip.hf_model import ClsLastHiddenStatePooler, MeanPooler
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.findings import listed
from pouf_core.errors import PoufError
from pouf_core.families.cosine.sentence_encoder import SentenceModel, SentenceNetwork, SentenceTokenizer, SentenceTower
from pouf_core.families.pretrained import (
    PADDED_POSITIONS,
    check_finite,
    check_vocabulary,
    not_adaptable,
    quiet_transformers,
    unavailable,
)

LOGIT_SCALE = 20.0
"""Between cosine and logit: what all-MiniLM and sentence-transformers' contrastive losses are trained with."""

_READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError, ImportError)
_MODULES = ("Transformer", "Pooling", "Normalize")
# The root-mean-length sum points where the mean points, and features are of unit length.
_POOLERS: dict[str, type[nn.Module]] = {
    "mean_tokens": MeanPooler,
    "mean_sqrt_len_tokens": MeanPooler,
    "cls_token": ClsLastHiddenStatePooler,
}


@dataclass(frozen=True)
class _Layout:
    """What a directory says of its encoder."""

    transformer: Path
    pooling: str
    longest: int | None
    lower_case: bool


def load_sentence_model(description: BaseModelDescription, directory: Path, device: torch.device) -> SentenceModel:
    """Load a sentence encoder; every call gives a network of its own, in float32 and evaluation mode.

    Weights are read from safetensors only, and code that a directory brings is never run.

    Args:
        description: of a sentence encoder.
        directory: which sentence-transformers saved.
        device: where to put it.

    Raises:
        InvalidInput: `base_model_not_adaptable`, with what of it could not be loaded faithfully.
        PoufError: `base_model_unavailable` when its files cannot be read.
    """
    spec = description.name
    if not directory.is_dir():
        raise unavailable(spec, f"{directory} is not a directory")
    try:
        layout = _read_layout(spec, directory)
        with quiet_transformers():
            transformer = _read_transformer(spec, layout.transformer)
            tokenizer = AutoTokenizer.from_pretrained(layout.transformer, trust_remote_code=False)
    except PoufError:
        raise
    except _READ_ERRORS as error:
        raise unavailable(spec, str(error)) from error
    check_finite(spec, transformer)
    _check_tokenizer(spec, tokenizer, transformer.config)
    tokenizer.padding_side = "right"
    network = SentenceNetwork(SentenceTower(transformer, _POOLERS[layout.pooling]()), math.log(LOGIT_SCALE))
    longest = _longest(layout, tokenizer, transformer.config)
    return SentenceModel(description, network, SentenceTokenizer(tokenizer, longest, layout.lower_case), device)


def _read_layout(spec: str, directory: Path) -> _Layout:
    modules = _read_json(directory / "modules.json")
    if not isinstance(modules, list):
        raise not_adaptable(spec, "it has no modules.json, which says how the tokens' vectors become the text's")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    unknown = sorted(set(kinds) - set(_MODULES))
    if unknown or kinds[:2] != ["Transformer", "Pooling"]:
        raise not_adaptable(spec, f"its modules are {', '.join(kinds)}; Transformer, Pooling and Normalize are known")
    settings = _read_json(directory / "config_sentence_transformers.json") or {}
    default = settings.get("default_prompt_name")
    if default and (settings.get("prompts") or {}).get(default):
        raise not_adaptable(spec, f"it puts the prompt {default!r} before every text")
    transformer = directory / modules[0]["path"]
    limits = _read_json(transformer / "sentence_bert_config.json") or {}
    pooling = _pooling(spec, _read_json(directory / modules[1]["path"] / "config.json") or {})
    return _Layout(transformer, pooling, limits.get("max_seq_length"), bool(limits.get("do_lower_case")))


def _pooling(spec: str, settings: Mapping[str, object]) -> str:
    prefix = "pooling_mode_"
    named = settings.get("pooling_mode")  # newer directories name it
    modes = [name.removeprefix(prefix) for name, value in settings.items() if name.startswith(prefix) and value is True]
    modes = [{"mean": "mean_tokens", "cls": "cls_token"}.get(named, named)] if isinstance(named, str) else modes
    if len(modes) != 1 or modes[0] not in _POOLERS:
        known = ", ".join(_POOLERS)
        raise not_adaptable(spec, f"its pooling is {' and '.join(modes) or 'not told'}; {known} are known")
    return modes[0]


def _read_transformer(spec: str, directory: Path) -> Any:
    config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    if getattr(config, "is_encoder_decoder", False):
        raise not_adaptable(spec, f"a {config.model_type} has a decoder beside its encoder")
    transformer, report = AutoModel.from_pretrained(
        directory,
        config=config,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if isinstance(getattr(transformer, "pooler", None), nn.Module):
        transformer.pooler = None  # the pooling of sentences is another
    missing = [name for name in report["missing_keys"] if not name.startswith("pooler.")]
    if missing:
        raise not_adaptable(spec, f"its files have no weights for {listed(sorted(missing))}")
    return transformer


def _check_tokenizer(spec: str, tokenizer: Any, config: Any) -> None:
    check_vocabulary(spec, tokenizer)
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id != config.pad_token_id:
        raise not_adaptable(spec, "its tokenizer and its configuration name different padding tokens")


def _longest(layout: _Layout, tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and config.model_type in PADDED_POSITIONS:
        positions -= config.pad_token_id + 1
    limits = [limit for limit in (layout.longest, positions, tokenizer.model_max_length) if limit is not None]
    return int(min(limits))


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
