"""`open_clip:`: vision-language models of open_clip, by architecture and weights or as a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import PICTURE_TEMPLATES
from pouf_core.families.family import Family, is_path

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel


#: In the names of those of open_clip 3.3's architectures whose text towers learned from texts of many languages.
_OF_MANY_LANGUAGES = ("xlm", "mt5", "nllb", "siglip2", "i18n", "worldwide")


def _parts(spec: str) -> tuple[str | None, str]:
    """The architecture, None for a directory, and the weights or that directory; empty where the name lacks them."""
    rest = spec.partition(":")[2]
    if is_path(rest):
        return None, rest
    architecture, _, weights = rest.partition("/")
    return architecture, weights


def _describe(spec: str) -> str | None:
    architecture, weights = _parts(spec)
    if architecture == "" or not weights:
        return None
    return f"open_clip model: {f'{architecture} with weights {weights}' if architecture else weights}."


def _reads_only_english(spec: str) -> bool:
    architecture, weights = _parts(spec)
    if not architecture or is_path(weights):
        return False
    return not any(mark in architecture.lower() for mark in _OF_MANY_LANGUAGES)


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.open_clip_loading import load_open_clip

    architecture, weights = _parts(description.name)
    return load_open_clip(description, device, architecture=architecture, weights=weights)


OPEN_CLIP = Family(
    name="open_clip",
    usage="open_clip:<architecture>/<pretrained>",
    modality="image",
    kind="image",
    default_prompt_templates=PICTURE_TEMPLATES,
    describe=_describe,
    load=_load,
    exports=("numpy", "onnx", "open_clip"),
    takes_activation=True,
    reads_only_english=_reads_only_english,
)
