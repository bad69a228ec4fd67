"""`minilm` and `sentence:`: sentence encoders, which classify texts by cosine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.families.family import Family, is_path, unknown_base_model

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel

DEFAULT_TEMPLATE = "A text about {}."


def _describe(spec: str) -> str:
    path = spec.partition(":")[2]
    if not is_path(path):
        example = "sentence:/models/all-mpnet-base-v2"
        raise unknown_base_model(spec, f"sentence: is followed by the path of a directory, such as {example}.")
    return f"Sentence encoder: {path}."


def _load_minilm(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.sentence_loading import load_sentence_model
    from pouf_core.families.pretrained import minilm_directory

    return load_sentence_model(description, minilm_directory(), device)


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.sentence_loading import load_sentence_model

    return load_sentence_model(description, Path(description.name.partition(":")[2]).expanduser(), device)


MINILM = Family(
    name="minilm",
    usage="minilm",
    embedded=True,
    modality="text",
    kind="text",
    default_prompt_templates=(DEFAULT_TEMPLATE,),
    describe=lambda _: (
        "all-MiniLM-L6-v2, a sentence encoder of English; texts beyond 256 tokens are cut; runs on a CPU."
    ),
    load=_load_minilm,
    exports=("numpy", "onnx", "huggingface"),
    reads_only_english=lambda _: True,
)

SENTENCE = Family(
    name="sentence",
    usage="sentence:<path>",
    modality="text",
    kind="text",
    default_prompt_templates=(DEFAULT_TEMPLATE,),
    describe=_describe,
    load=_load,
    exports=("numpy", "onnx", "huggingface"),
)
