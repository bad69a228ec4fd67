"""`hf-causal:`: causal language models, which answer with a label word after the template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.families.family import NOT_OF_LANGUAGE_MODELS, Family, Tokenizer, checkpoint_of
from pouf_core.families.masked_lm import DEFAULT_TEMPLATE

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.language.language_loading import load_language_model

    return load_language_model(description, "causal", device)


def _load_tokenizer(spec: str) -> Tokenizer:
    from pouf_core.families.language.language_loading import load_tokenizer

    return load_tokenizer(spec, "causal")


HF_CAUSAL = Family(
    name="hf-causal",
    usage="hf-causal:<path>",
    modality="text",
    kind="language",
    default_prompt_templates=(DEFAULT_TEMPLATE,),
    describe=lambda spec: f"Causal language model, prompted: {checkpoint_of(spec)}.",
    load=_load,
    takes_label_words=True,
    reads_after_mask=False,
    takes_pairs=True,
    unused_settings=NOT_OF_LANGUAGE_MODELS,
    exports=("numpy", "onnx", "huggingface"),
    load_tokenizer=_load_tokenizer,
)
