"""Prompts: class names put into templates, tokenised, with the places where context vectors go.

The learned context is made of the template's words, before and after the class name; punctuation stays as it is
written. "a photo of a {}." thus has four context vectors, as in the reference implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.backbones.text_encoding import NO_CONTEXT
from pouf_core.backbones.tokenizer import TextTokenizer, shared_prefix
from pouf_core.classes import PLACEHOLDER, ClassName, fill
from pouf_core.errors import InvalidInput

_LONG = 4  # how many context lengths a prompt is given to show its whole length


@dataclass(frozen=True)
class Prompts:
    """Tokenised prompts of T templates and K classes.

    Attributes:
        tokens: [T*K, L] token ids, template by template.
        placement: [T*K, L] index of the context vector at each position, -1 where the token's own embedding stays.
        context_tokens: [N] token ids from whose embeddings the N context vectors start.
        template_count: T.
    """

    tokens: Tensor
    placement: Tensor
    context_tokens: Tensor
    template_count: int

    @property
    def class_count(self) -> int:
        """K."""
        return len(self.tokens) // self.template_count


def build_prompts(classes: Sequence[ClassName], templates: Sequence[str], tokenizer: TextTokenizer) -> Prompts:
    """Tokenise every class in every template and find the context positions.

    Args:
        classes: K classes.
        templates: T templates, each with one placeholder.
        tokenizer: the base model's tokenizer.

    Raises:
        InvalidInput: `class_name_too_long` when a prompt exceeds the context length,
            `template_not_separable` when template words and class name share a token.
    """
    tokens, placements = [], []
    context_tokens: list[int] = []
    for template in templates:
        rows = tokenizer([fill(template, item.wording) for item in classes])
        _check_length(classes, template, rows.shape[1], tokenizer)
        placement, words = _place_context(rows, classes, template, tokenizer, first_index=len(context_tokens))
        tokens.append(rows)
        placements.append(placement)
        context_tokens.extend(words)
    return Prompts(
        torch.cat(tokens), torch.cat(placements), torch.tensor(context_tokens, dtype=torch.long), len(templates)
    )


def _check_length(classes: Sequence[ClassName], template: str, limit: int, tokenizer: TextTokenizer) -> None:
    """Refuse prompts that the tokenizer would silently cut."""
    whole = tokenizer([fill(template, item.wording) for item in classes], _LONG * limit)
    for index, (item, length) in enumerate(zip(classes, tokenizer.live_lengths(whole), strict=True)):
        if length > limit:
            raise InvalidInput(
                "class_name_too_long",
                f"The prompt of class {item.name!r} has {length} tokens; this base model takes {limit}. "
                "Shorten the name or the template.",
                field=f"/class_names/{index}",
            )


def _place_context(
    rows: Tensor, classes: Sequence[ClassName], template: str, tokenizer: TextTokenizer, *, first_index: int
) -> tuple[Tensor, list[int]]:
    """Context positions [K, L] of one template, and the token ids that the context starts from."""
    before, after = template.split(PLACEHOLDER)
    leading, trailing = tokenizer.special_counts(rows[0])
    opening = tokenizer([before.rstrip()])[0]
    openings_end = tokenizer.live_lengths(opening.unsqueeze(0))[0] - trailing
    cut_rows = tokenizer([before + item.wording for item in classes])

    placement = torch.full_like(rows, NO_CONTEXT)
    wanted: list[int] | None = None
    for row, length in enumerate(tokenizer.live_lengths(rows)):
        name_end = min(shared_prefix(cut_rows[row], rows[row]), length - trailing)
        separable = shared_prefix(opening, rows[row]) >= openings_end and name_end > openings_end
        positions = [*range(leading, openings_end), *range(name_end, length - trailing)]
        positions = [item for item in positions if _is_word(int(rows[row, item]), tokenizer)]
        words = [int(rows[row, item]) for item in positions]
        wanted = words if wanted is None else wanted
        if not separable or words != wanted or (not after.strip() and name_end != length - trailing):
            raise InvalidInput(
                "template_not_separable",
                f"In template {template!r} the class name {classes[row].name!r} runs into the words around it; "
                "put spaces around {}.",
                field="/prompt_template",
            )
        placement[row, positions] = torch.arange(first_index, first_index + len(words))
    return placement, wanted or []


def _is_word(token_id: int, tokenizer: TextTokenizer) -> bool:
    return any(character.isalnum() for character in tokenizer.decode(token_id))
