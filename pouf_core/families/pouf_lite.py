"""`pouf-lite`: the embedded base model of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import PICTURE_TEMPLATES
from pouf_core.families.family import Family

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.pouf_lite_network import load_pouf_lite

    return load_pouf_lite(description, device)


def _files() -> list[Path]:
    from pouf_core.families.cosine.pouf_lite_network import weight_files

    return weight_files()


POUF_LITE = Family(
    name="pouf-lite",
    usage="pouf-lite",
    embedded=True,
    files=_files,
    modality="image",
    kind="image",
    default_prompt_templates=PICTURE_TEMPLATES,
    describe=lambda _: (
        "EfficientNet-Lite0 (ImageNet) joined to all-MiniLM-L6-v2 by a small projection head; runs on a CPU."
    ),
    load=_load,
    exports=("numpy", "onnx", "open_clip"),
    reads_only_english=lambda _: True,
)
