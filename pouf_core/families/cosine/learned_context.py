"""The learned context of prompt tuning: shared or per class, from the template's words or at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pouf_core.contract.classes import PLACEHOLDER, ClassName
from pouf_core.contract.method import DEFAULT_CONTEXT_LENGTH, MethodSpec
from pouf_core.contract.tune_modes import TUNE_MODES
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.encoders import CosineEncoders
from pouf_core.families.cosine.prompts import Prompts, build_prompts
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.system.runtime import generator

_STAND_IN = "a"  # one token in every tokenizer; random vectors take its place


def learned_prompts(
    classes: Sequence[ClassName],
    templates: Sequence[str],
    tokenizer: TextTokenizer,
    spec: MethodSpec,
    own: Prompts | None = None,
) -> Prompts:
    """The prompts that training starts from: the baseline's own, unless the context starts at random.

    Args:
        classes: K classes.
        templates: T templates, each with one placeholder.
        tokenizer: the base model's tokenizer.
        spec: says whether context vectors are shared, and where they start.
        own: the baseline's prompts, of these classes and templates; None to make them.

    Raises:
        InvalidInput: as `build_prompts`, or `context_too_long` when so many vectors leave no room for the names.
    """
    is_learned = TUNE_MODES[spec.tune].learner == "context"
    per_class = is_learned and spec.context == "per_class"
    if not is_learned or spec.context_init == "template":
        if own is not None and not per_class:
            return own
        return build_prompts(classes, templates, tokenizer, per_class=per_class)
    length = DEFAULT_CONTEXT_LENGTH if isinstance(spec.context_length, str) else spec.context_length
    stand_ins = [random_template(template, length) for template in templates]
    try:
        return build_prompts(classes, stand_ins, tokenizer, per_class=per_class)
    except InvalidInput as error:
        if error.code != "class_name_too_long":
            raise
        raise InvalidInput(
            "context_too_long",
            f"With {length} context vectors, a prompt is too long for this base model. {error.message}",
            field="/method/context_length",
        ) from error


def random_template(template: str, length: int) -> str:
    """A template with so many words in place of its own, on the same sides of the class name, and its last mark.

    Words go before the class name where the template has none, and on both sides, the larger half before, where it
    has words on both.
    """
    before, after = template.split(PLACEHOLDER)
    sides = [any(character.isalnum() for character in side) for side in (before, after)]
    count_after = 0 if not sides[1] else length if not sides[0] else length // 2
    mark = template.rstrip()[-1]
    words = [_STAND_IN] * (length - count_after) + [PLACEHOLDER] + [_STAND_IN] * count_after
    return " ".join(words) + ("" if mark.isalnum() or mark == PLACEHOLDER[-1] else mark)


def initial_context(base: CosineEncoders[Any], prompts: Prompts, spec: MethodSpec, seed: int) -> Tensor:
    """Where the N context vectors start, [N, width].

    Either the embeddings of the template's words, so that the untrained prompt is the baseline's, or normally
    distributed with the root mean square of the base model's own embeddings of the prompts (CoOp, Zhou et al., 2022,
    arXiv 2109.01134, takes CLIP's 0.02, which does not suit every model).
    """
    words = base.initial_context(prompts)
    if spec.context_init == "template" or not len(words):
        return words
    with torch.no_grad():
        embedded = base.text.input_embedding(prompts.tokens.unique().to(base.device))
    scale = embedded.float().pow(2).mean().sqrt()
    drawn = torch.randn(words.shape, generator=generator(seed, "context"))
    context: Tensor = (drawn.to(words.device) * scale).to(words.dtype)
    return context
