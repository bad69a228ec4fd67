"""`hf-align:`: vision-language models of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import PICTURE_TEMPLATES
from pouf_core.families.family import Family, checkpoint_of

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.transformers_loading import load_transformers_model

    return load_transformers_model(description, device)


HF_ALIGN = Family(
    name="hf-align",
    usage="hf-align:<path>",
    modality="image",
    kind="image",
    default_prompt_templates=PICTURE_TEMPLATES,
    describe=lambda spec: f"Vision-language model of transformers (ALIGN, SigLIP, CLIP): {checkpoint_of(spec)}.",
    load=_load,
    exports=("numpy", "onnx", "huggingface"),
)
