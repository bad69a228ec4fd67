"""Which open_clip architectures can be adapted, decided from their configuration: no weights, nothing fetched.

The network is built on PyTorch's meta device, where tensors have shapes and no data, and run once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.coca_model import CoCa
from open_clip.hf_model import HFTextEncoder, MaxPooler
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn
from transformers.utils import cached_file

from pouf_core.contract.tune_modes import TUNE_MODES, Tune
from pouf_core.families.cosine.trained_parameters import text_tower, trained_parameters
from pouf_core.families.cosine.transformers_towers import DualEncoder, TransformersTextTower
from pouf_core.families.pretrained import not_adaptable

_BUILD_ERRORS = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, AssertionError, ImportError, OSError)
_RUN_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)
_DEPTH = 2  # blocks of open_clip's own transformers in the trial network; the number changes nothing that is decided
_HF_LENGTH = 8  # tokens of the trial prompt, for towers that take any length
_PICTURE_NOT_SQUARE = "its pictures are {0} x {1} pixels, and only square input is supported"


@dataclass(frozen=True)
class Adaptability:
    """What can be done with an architecture.

    Attributes:
        tune_modes: the modes that it has parameters for; empty where it is refused.
        reason: why it is refused, as a clause ("its towers …"), or None.
        undecided: True where the configuration of a Hugging Face text tower is not on this machine, so that only
            loading the model can tell.
    """

    tune_modes: tuple[Tune, ...]
    reason: str | None = None
    undecided: bool = False


def architecture_names() -> list[str]:
    """Every architecture of open_clip."""
    return list(open_clip.list_models())


def examine(model_name: str) -> Adaptability:
    """Decide about an architecture by its name, as `open_clip.list_models()` has it, or `local-dir:<path>`."""
    settings = open_clip.get_model_config(model_name)
    if settings is None:
        return Adaptability((), "open_clip has no such architecture")
    if missing := {"vision_cfg", "text_cfg"} - settings.keys():
        return Adaptability((), f"its configuration has no {' and no '.join(sorted(missing))}")
    vision, text = _smaller(settings["vision_cfg"]), _smaller(settings["text_cfg"])
    if tower := text.get("hf_model_name"):
        directory = _local_configuration(tower)
        if directory is None:
            reason = f"its text tower needs the Hugging Face configuration {tower!r}, which is not on this machine"
            return Adaptability((), reason, undecided=True)
        text["hf_model_name"] = str(directory)
    try:
        with torch.device("meta"), _without_weight_warnings():
            network = open_clip.create_model(
                model_name,
                load_weights=False,
                pretrained_text=False,
                device="meta",
                vision_cfg={**vision, "timm_model_pretrained": False},
                text_cfg={**text, "hf_model_pretrained": False},
            )
    except _BUILD_ERRORS as error:
        return Adaptability((), f"open_clip {open_clip.__version__} cannot build it: {_first_line(error)}")
    return examine_network(network.eval())


def examine_network(network: nn.Module) -> Adaptability:
    """Decide about a network, on whatever device it is, by running it once."""
    reason = _refusal(network)
    if reason:
        return Adaptability((), reason)
    modes = (
        name
        for name, mode in TUNE_MODES.items()
        if "image" in mode.kinds and (mode.learner != "network" or trained_parameters(network, name))
    )
    return Adaptability(tuple(modes))


def check_adaptable(spec: str, found: Adaptability) -> None:
    """Refuse a base model that cannot be adapted.

    Raises:
        InvalidInput: `base_model_not_adaptable`, with the reason.
    """
    if found.reason and not found.undecided:
        raise not_adaptable(spec, found.reason)


def _refusal(network: nn.Module) -> str | None:
    if not isinstance(network, CLIP | CustomTextCLIP | CoCa | DualEncoder):
        return f"it is a {type(network).__name__}, not a model with an image and a text encoder"
    size: Any = network.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        return _PICTURE_NOT_SQUARE.format(height, width)
    device = network.logit_scale.device
    try:
        with torch.no_grad():
            image = network.encode_image(torch.zeros(1, 3, height, width, device=device))
            text = _trial_text_features(network, device)
    except _RUN_ERRORS as error:
        return f"its encoders do not run: {_first_line(error)}"
    for kind, features in (("image", image), ("text", text)):
        if not isinstance(features, Tensor) or features.ndim != 2:
            return f"its {kind} tower gives features of single tokens instead of one vector"
    if image.shape != text.shape:
        return f"its image features have {image.shape[1]} dimensions and its text features {text.shape[1]}"
    return None


def _trial_text_features(network: nn.Module, device: torch.device) -> Any:
    tower: Any = text_tower(network)
    if isinstance(tower, TransformersTextTower):
        return network.encode_text(torch.ones(1, tower.positions, dtype=torch.long, device=device))  # type: ignore[operator]
    if not isinstance(tower, HFTextEncoder):
        return network.encode_text(torch.ones(1, tower.context_length, dtype=torch.long, device=device))  # type: ignore[operator]
    if isinstance(tower.pooler, MaxPooler):
        raise TypeError("open_clip's max_pooler does not work with the masks of today's PyTorch")
    if device.type != "meta":
        return network.encode_text(torch.ones(1, _HF_LENGTH, dtype=torch.long, device=device))  # type: ignore[operator]
    width = tower.transformer.get_input_embeddings().embedding_dim  # transformers look at data, which meta lacks
    return tower.proj(torch.empty(1, width, device=device))


def _smaller(tower: dict[str, Any]) -> dict[str, Any]:
    layers = tower.get("layers")
    return {**tower, "layers": min(layers, _DEPTH)} if isinstance(layers, int) else dict(tower)


def _local_configuration(name: str) -> Path | None:
    """The directory that holds a Hugging Face model's config.json, without going to the network."""
    try:
        found = cached_file(name, "config.json", local_files_only=True)
    except OSError:
        return None
    return Path(found).parent if found else None


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


@contextmanager
def _without_weight_warnings() -> Iterator[None]:
    """open_clip warns that the trial network has no weights, which it is not meant to have."""

    def is_about_something_else(record: logging.LogRecord) -> bool:
        return not (record.module == "factory" and "open_clip" in record.pathname)

    root = logging.getLogger()
    root.addFilter(is_about_something_else)
    try:
        yield
    finally:
        root.removeFilter(is_about_something_else)
