"""`minilm-mlm` and `hf-mlm:`: masked language models, which answer with a label word at the mask of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.families.family import NOT_OF_LANGUAGE_MODELS, Family, Tokenizer, checkpoint_of

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel

DEFAULT_TEMPLATE = "{text} This is {mask}."


def _load_minilm(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.language.minilm_mlm import load_minilm_mlm

    return load_minilm_mlm(description, device)


def _load_minilm_tokenizer(_spec: str) -> Tokenizer:
    from pouf_core.families.language.minilm_mlm import minilm_tokenizer

    return minilm_tokenizer()


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.language.language_loading import load_language_model

    return load_language_model(description, "masked", device)


def _load_tokenizer(spec: str) -> Tokenizer:
    from pouf_core.families.language.language_loading import load_tokenizer

    return load_tokenizer(spec, "masked")


MINILM_MLM = Family(
    name="minilm-mlm",
    usage="minilm-mlm",
    embedded=True,
    modality="text",
    kind="language",
    default_prompt_templates=(DEFAULT_TEMPLATE,),
    describe=lambda _: (
        "all-MiniLM-L6-v2 as a masked language model of English, small and weak; takes pairs; runs on a CPU."
    ),
    load=_load_minilm,
    takes_label_words=True,
    takes_pairs=True,
    unused_settings=NOT_OF_LANGUAGE_MODELS,
    exports=("numpy", "onnx", "huggingface"),
    load_tokenizer=_load_minilm_tokenizer,
)

HF_MLM = Family(
    name="hf-mlm",
    usage="hf-mlm:<path>",
    modality="text",
    kind="language",
    default_prompt_templates=(DEFAULT_TEMPLATE,),
    describe=lambda spec: f"Masked language model, prompted: {checkpoint_of(spec)}.",
    load=_load,
    takes_label_words=True,
    takes_pairs=True,
    unused_settings=NOT_OF_LANGUAGE_MODELS,
    exports=("numpy", "onnx", "huggingface"),
    load_tokenizer=_load_tokenizer,
)
