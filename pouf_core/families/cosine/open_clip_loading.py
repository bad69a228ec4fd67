"""Loading models of open_clip: its own architectures, and directories that it saved."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError

from pouf_core.contract.activation import Activation, activation_mismatch
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.architectures import check_adaptable, examine, examine_network
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.open_clip_weights import plain_weights
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.pretrained import check_finite, check_vocabulary, how_to_fetch, unavailable

#: What open_clip and PyTorch raise over weights of another architecture, and over directories' files that hold none.
_OTHER_WEIGHTS = (AssertionError, AttributeError, EOFError, LookupError, SafetensorError, UnpicklingError)
_NOT_LOADED = (OSError, RuntimeError, ValueError, TypeError, *_OTHER_WEIGHTS)
_LONGEST_REASON = 300
_DIRECTORY = "local-dir:"


def load_open_clip(
    description: BaseModelDescription, device: torch.device, *, architecture: str | None, weights: str
) -> ClipLikeModel:
    """The model with its pretrained weights.

    Args:
        description: of the model.
        device: where to put it.
        architecture: one of open_clip's own; None for a directory that open_clip saved.
        weights: a pretrained tag of the architecture or a file; the directory.

    Raises:
        InvalidInput, PoufError: as `pouf_core.families.loading.load_base_model`; `activation_mismatch` where the
            pretrained tag says that its weights were trained with another activation than the description's.
    """
    if architecture is None:
        model_name, pretrained = _of_directory(description.name, Path(weights).expanduser()), None
    else:
        _check_architecture(description.name, architecture, weights)
        model_name, pretrained = architecture, weights
    try:
        found = examine(model_name)
    except (OSError, ValueError) as error:
        raise unavailable(description.name, f"its configuration cannot be read: {error}") from error
    check_adaptable(description.name, found)
    description = _with_activation(description, model_name, pretrained)
    try:
        with warnings.catch_warnings(), _by_its_own_names(pretrained) as source:
            warnings.filterwarnings("ignore", message="QuickGELU mismatch")  # it looks at the configuration alone
            network, _, transform = open_clip.create_model_and_transforms(
                model_name,
                pretrained=source,
                precision="fp32",
                device=device,
                weights_only=True,
                require_pretrained=True,  # never adapt a random network in silence
                quick_gelu=description.activation == "quick_gelu",
            )
    except _NOT_LOADED as error:
        reason = _why_not_fetched(model_name, pretrained, error) or _why_not_loaded(error)
        raise unavailable(description.name, f"{found.reason}; {reason}" if found.undecided else reason) from error
    tokenizer = _tokenizer(description.name, model_name)
    check_finite(description.name, network)
    if found.undecided:
        check_adaptable(description.name, examine_network(network.eval()))
    if hasattr(tokenizer, "tokenizer"):  # Hugging Face's, whose files may not be there
        check_vocabulary(description.name, tokenizer.tokenizer)
    configuration = open_clip.get_model_config(model_name) | {"quick_gelu": description.activation == "quick_gelu"}
    return ClipLikeModel(description, network, transform, TextTokenizer(tokenizer), device, configuration)


def _of_directory(spec: str, directory: Path) -> str:
    if directory.is_file():
        raise unavailable(spec, f"name its architecture, too: open_clip:ViT-B-32/{directory}")
    if not (directory / "open_clip_config.json").is_file():
        raise unavailable(spec, f"{directory} has no open_clip_config.json")
    return f"{_DIRECTORY}{directory}"


def _tokenizer(spec: str, model_name: str) -> Any:
    try:
        return open_clip.get_tokenizer(model_name)
    except _NOT_LOADED as error:
        source = (open_clip.get_model_config(model_name) or {}).get("text_cfg", {}).get("hf_tokenizer_name")
        if source is None or model_name.startswith(_DIRECTORY):
            raise unavailable(spec, f"its tokenizer cannot be read: {_why_not_loaded(error)}") from error
        named = "or name a directory that holds it beside the weights, as open_clip saves one (open_clip:/models/mine)"
        reason = f"its tokenizer, {source!r}, is not on this machine, {_could_not_fetch(source)}, {named}"
        raise unavailable(spec, reason) from error


def _why_not_fetched(model_name: str, pretrained: str | None, error: Exception) -> str | None:
    """Of a pretrained tag whose weights are neither here nor to be had; None of anything else."""
    source = (open_clip.get_pretrained_cfg(model_name, pretrained) or {}).get("hf_hub") if pretrained else None
    if not source or not str(error).startswith("Failed to download"):
        return None
    named = f"or name the file of its weights (open_clip:{model_name}//models/weights.safetensors)"
    return f"its weights are not on this machine, {_could_not_fetch(source.strip('/'))}, {named}"


def _could_not_fetch(source: str) -> str:
    return f"and could not be fetched: {how_to_fetch(source)}"


def _by_its_own_names(pretrained: str | None) -> AbstractContextManager[str | None]:
    """What open_clip reads: a file as `plain_weights` gives it; a tag, or None, as it is."""
    if pretrained is None or not Path(pretrained).is_file():
        return nullcontext(pretrained)
    return plain_weights(Path(pretrained))


def _why_not_loaded(error: Exception) -> str:
    """In a line: PyTorch names every parameter that is missing, and explains how to unpickle what is no tensor."""
    said = " ".join(str(error).split())
    if isinstance(error, _OTHER_WEIGHTS) or said.startswith("Error(s) in loading state_dict"):
        return f"the file does not hold the weights of this architecture ({said[:_LONGEST_REASON]})"
    return said[:_LONGEST_REASON]


def _with_activation(
    description: BaseModelDescription, model_name: str, pretrained: str | None
) -> BaseModelDescription:
    """The description with the activation to compute with.

    An architecture's configuration names the activation of most of its weights, not of all: `ViT-B-16` has plain GELU,
    and its tag `openai` was trained with QuickGELU.
    """
    configured = bool((open_clip.get_model_config(model_name) or {}).get("quick_gelu", False))
    tag = open_clip.get_pretrained_cfg(model_name, pretrained) if pretrained else None
    asked = description.activation
    if asked is None:
        return replace(description, activation=_named(configured))
    known = _named(configured or bool((tag or {}).get("quick_gelu", False)))
    if tag and asked not in ("auto", known):
        raise activation_mismatch(description.name, known)
    assumed = asked == "auto" and pretrained is not None and not tag
    return replace(description, activation=known if asked == "auto" else asked, activation_assumed=assumed)


def _named(quick_gelu: bool) -> Activation:
    return "quick_gelu" if quick_gelu else "gelu"


def _check_architecture(spec: str, architecture: str, pretrained: str) -> None:
    if architecture not in open_clip.list_models():
        raise InvalidInput(
            "unknown_base_model",
            f"open_clip has no architecture {architecture!r} (in {spec!r}).",
            field="/base_model",
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if pretrained not in tags and not Path(pretrained).is_file():
        raise InvalidInput(
            "unknown_base_model",
            f"{pretrained!r} is neither a file nor a pretrained tag of {architecture}; its tags: {', '.join(tags)}.",
            field="/base_model",
        )
