"""`open_clip:`: vision-language models of open_clip, by architecture and weights or as a directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import DEFAULT_TEMPLATE
from pouf_core.families.family import Family, is_path

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel


@dataclass(frozen=True)
class OpenClipName:
    """`open_clip:<architecture>/<pretrained>` taken apart; for a directory `architecture` is None."""

    architecture: str | None
    pretrained: str


def parse_open_clip(spec: str) -> OpenClipName | None:
    """Take an `open_clip:` name apart; None where it has another form."""
    rest = spec.partition(":")[2]
    if is_path(rest):
        return OpenClipName(None, rest)
    architecture, _, pretrained = rest.partition("/")
    return OpenClipName(architecture, pretrained) if architecture and pretrained else None


def _describe(spec: str) -> str | None:
    name = parse_open_clip(spec)
    if name is None:
        return None
    weights = f"{name.architecture} with weights {name.pretrained}" if name.architecture else name.pretrained
    return f"open_clip model: {weights}."


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.open_clip_loading import load_open_clip

    return load_open_clip(description, device)


OPEN_CLIP = Family(
    name="open_clip",
    usage="open_clip:<architecture>/<pretrained>",
    modality="image",
    kind="image",
    default_prompt_template=DEFAULT_TEMPLATE,
    describe=_describe,
    load=_load,
)
