"""Loading base models by name, and sharing loaded ones."""

from __future__ import annotations

import threading
from pathlib import Path

import open_clip
import torch
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2

from pouf_core.backbones.architectures import check_adaptable, examine, examine_network
from pouf_core.backbones.clip_like import ClipLikeModel
from pouf_core.backbones.cosine_model import CosineModel
from pouf_core.backbones.pouf_lite import build_pouf_lite, minilm_directory
from pouf_core.backbones.sentence_loading import load_sentence_model
from pouf_core.backbones.tokenizer import TextTokenizer
from pouf_core.backbones.transformers_loading import load_transformers_model
from pouf_core.catalogue import POUF_LITE, BaseModelDescription, describe, parse_open_clip
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.language.loading import load_language_model
from pouf_core.language.model import LanguageModel

BaseModel = CosineModel | LanguageModel
_POUF_LITE_CONTEXT_LENGTH = 128
_loading = threading.Lock()
"""Held while a model is loaded: transformers changes global state meanwhile, and a second load would go wrong by it."""


def load_base_model(spec: str, device: torch.device | str = "cpu") -> BaseModel:
    """Load a base model; every call gives a network of its own. One is loaded at a time.

    Args:
        spec: a name that `pouf_core.catalogue.describe` knows.
        device: where to put it.

    Raises:
        InvalidInput: `unknown_base_model`, or `base_model_not_adaptable` with the reason, before any weights are read.
        PoufError: `base_model_unavailable` when its weights, or what else it needs, cannot be read or fetched.
    """
    description = describe(spec)
    with _loading:
        if description.family == "pouf-lite":
            return load_pouf_lite(device)
        if description.is_language_model:
            return load_language_model(description, device)
        if description.modality == "text":
            return load_sentence_model(description, torch.device(device))
        if description.family == "hf-align":
            return load_transformers_model(description, torch.device(device))
        return _load_open_clip(description, torch.device(device))


def load_pouf_lite(device: torch.device | str = "cpu", head: Path | None = None) -> ClipLikeModel:
    """The embedded base model, with the shipped projection head or another one (see `build_pouf_lite`)."""
    network = build_pouf_lite(head)
    network.visual.to(memory_format=torch.channels_last)  # 2x faster convolutions on CPUs
    transform = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)
    tokenizer = HFTokenizer(str(minilm_directory()), context_length=_POUF_LITE_CONTEXT_LENGTH)
    return ClipLikeModel(POUF_LITE, network, transform, TextTokenizer(tokenizer), torch.device(device))


def _load_open_clip(description: BaseModelDescription, device: torch.device) -> ClipLikeModel:
    name = parse_open_clip(description.name)
    if name.architecture is None:
        directory = Path(name.pretrained).expanduser()
        if not (directory / "open_clip_config.json").is_file():
            raise _unavailable(description.name, f"{directory} has no open_clip_config.json")
        model_name, pretrained = f"local-dir:{directory}", None
    else:
        _check_architecture(description.name, name.architecture, name.pretrained)
        model_name, pretrained = name.architecture, name.pretrained
    try:
        found = examine(model_name)
    except (OSError, ValueError) as error:
        raise _unavailable(description.name, f"its configuration cannot be read: {error}") from error
    check_adaptable(description.name, found)
    try:
        network, _, transform = open_clip.create_model_and_transforms(
            model_name,
            pretrained=pretrained,
            precision="fp32",
            device=device,
            weights_only=True,
            require_pretrained=True,  # never adapt a random network in silence
        )
        tokenizer = open_clip.get_tokenizer(model_name)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unavailable(description.name, f"{found.reason}; {error}" if found.undecided else str(error)) from error
    if found.undecided:
        check_adaptable(description.name, examine_network(network.eval()))
    return ClipLikeModel(description, network, transform, TextTokenizer(tokenizer), device)


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


def _unavailable(spec: str, reason: str) -> PoufError:
    return PoufError("base_model_unavailable", f"Base model {spec!r} could not be loaded: {reason}")


class BaseModelPool:
    """Base models loaded once and shared by everything that only reads them. Thread-safe.

    Args:
        device: where the pool's models live.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._models: dict[str, BaseModel] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, spec: str) -> BaseModel:
        """The model of that name, loaded by the first caller while others wait.

        Raises:
            InvalidInput, PoufError: as `load_base_model`.
        """
        with self._guard:
            lock = self._locks.setdefault(spec, threading.Lock())
        with lock:
            if spec not in self._models:
                self._models[spec] = load_base_model(spec, self.device)
            return self._models[spec]

    def loaded(self) -> list[str]:
        """Names of the models in memory."""
        return sorted(self._models)
