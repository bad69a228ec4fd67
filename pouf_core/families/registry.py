"""Which families of base models there are; a base model described without loading any.

To add a family, write a module beside this one with a `Family`, and name it below. Where it needs an encoder or a
classifier that no other family has, these are a module more. Nothing else in the code asks for a family by name.
Importing this module, and describing, imports none of torch, transformers and open_clip.
"""

from __future__ import annotations

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.errors import InvalidInput
from pouf_core.families.causal_lm import HF_CAUSAL
from pouf_core.families.family import Family, unknown_base_model
from pouf_core.families.features import FEATURES
from pouf_core.families.hf_align import HF_ALIGN
from pouf_core.families.masked_lm import HF_MLM, MINILM_MLM
from pouf_core.families.open_clip import OPEN_CLIP
from pouf_core.families.pouf_lite import POUF_LITE
from pouf_core.families.sentence import MINILM, SENTENCE

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (POUF_LITE, MINILM, MINILM_MLM, FEATURES, OPEN_CLIP, SENTENCE, HF_ALIGN, HF_MLM, HF_CAUSAL)
}
"""Every family by its name, in the order in which they are listed."""


def family_of(spec: str) -> Family:
    """The family that a base model's name belongs to.

    Raises:
        InvalidInput: `unknown_base_model`.
    """
    for family in FAMILIES.values():
        if family.owns(spec):
            return family
    raise _unknown(spec)


def describe(spec: str) -> BaseModelDescription:
    """Describe a base model by its name.

    Args:
        spec: `pouf-lite`, `open_clip:<architecture>/<pretrained tag>`, `open_clip:<architecture>/<path to weights>`
            or `open_clip:<path to a directory with open_clip_config.json>`; `minilm`, or
            `sentence:<path to a directory that sentence-transformers saved>`; `minilm-mlm`; `features`; `hf-align:`,
            `hf-mlm:` or `hf-causal:` and the path of a directory that transformers saved, or the name of a model in its
            cache.

    Raises:
        InvalidInput: `unknown_base_model`.
    """
    description = family_of(spec).description_of(spec)
    if description is None:
        raise _unknown(spec)
    return description


def embedded_base_models() -> list[BaseModelDescription]:
    """The base models whose weights come with the installed packages."""
    return [describe(name) for name, family in FAMILIES.items() if family.embedded]


def _unknown(spec: str) -> InvalidInput:
    *most, last = (family.usage for family in FAMILIES.values())
    return unknown_base_model(spec, f"use {', '.join(most)} or {last}.")
