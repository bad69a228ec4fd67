"""Prompts: class names put into templates, tokenised, with the places where context vectors go.

The learned context is made of the template's words, before and after the class name; punctuation stays as it is
written. "a photo of a {}." thus has four context vectors, as in the reference implementation. Letters and digits that
touch the placeholder, as in "{}s", belong to the class name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from pouf_core.contract.classes import PLACEHOLDER, ClassName, fill
from pouf_core.errors import InvalidInput
from pouf_core.families.context_vectors import NO_CONTEXT
from pouf_core.families.cosine.tokenizer import TextTokenizer, shared_prefix

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


@dataclass(frozen=True)
class PlacedPrompts:
    """Prompts where they are encoded, without the positions that none of them uses.

    Attributes:
        tokens: [T*K, L'] token ids.
        placement: [T*K, L'] as in `Prompts`.
        template_count: T.
    """

    tokens: Tensor
    placement: Tensor
    template_count: int


def build_prompts(
    classes: Sequence[ClassName], templates: Sequence[str], tokenizer: TextTokenizer, *, per_class: bool = False
) -> Prompts:
    """Tokenise every class in every template and find the context positions.

    Args:
        classes: K classes.
        templates: T templates, each with one placeholder.
        tokenizer: the base model's tokenizer.
        per_class: whether each class has context vectors of its own, rather than all classes the same.

    Raises:
        InvalidInput: `class_name_too_long` when a prompt exceeds the context length,
            `template_not_separable` when template words and class name share a token.
    """
    tokens, placements = [], []
    context_tokens: list[int] = []
    for template in templates:
        rows = tokenizer([fill(template, item.wording) for item in classes])
        _check_length(classes, template, rows, tokenizer)
        placement, words = _place_context(rows, classes, template, tokenizer)
        copies = len(classes) if per_class else 1
        learned = placement != NO_CONTEXT
        if per_class:
            placement = placement + len(words) * torch.arange(len(classes)).unsqueeze(1)
        placements.append(torch.where(learned, placement + len(context_tokens), NO_CONTEXT))
        tokens.append(rows)
        context_tokens.extend(words * copies)
    return Prompts(
        torch.cat(tokens), torch.cat(placements), torch.tensor(context_tokens, dtype=torch.long), len(templates)
    )


def _check_length(classes: Sequence[ClassName], template: str, rows: Tensor, tokenizer: TextTokenizer) -> None:
    """Refuse prompts that the tokenizer silently cut to [K, L] `rows`."""
    limit = rows.shape[1]
    full = [index for index, length in enumerate(tokenizer.live_lengths(rows)) if length >= limit - 1]
    if not full:  # nothing was cut, then, and what is long takes long
        return
    whole = tokenizer([fill(template, classes[index].wording) for index in full], _LONG * limit)
    lengths = tokenizer.live_lengths(whole)
    was_cut = (whole[:, :limit] != rows[full]).any(dim=1).tolist()  # tells where padding is the end token, as in SigLIP
    for place, index in enumerate(full):
        if was_cut[place] or lengths[place] > limit:
            raise InvalidInput(
                "class_name_too_long",
                f"The prompt of class {classes[index].name!r} has {lengths[place]} tokens; this base model takes "
                f"{limit}. Shorten the name or the template.",
                field=f"/class_names/{index}",
            )


def _place_context(
    rows: Tensor, classes: Sequence[ClassName], template: str, tokenizer: TextTokenizer
) -> tuple[Tensor, list[int]]:
    """Context positions [K, L] of one template, and the token ids that the context starts from."""
    before, class_part, after = _split(template)
    leading, trailing = tokenizer.special_counts(rows[0])
    opening = tokenizer([before.rstrip()])[0]
    openings_end = tokenizer.live_lengths(opening.unsqueeze(0))[0] - trailing
    cut_rows = tokenizer([before + fill(class_part, item.wording) for item in classes])

    placement = torch.full_like(rows, NO_CONTEXT)
    wanted: list[int] | None = None
    for row, length in enumerate(tokenizer.live_lengths(rows)):
        name_start = min(shared_prefix(opening, rows[row]), openings_end)
        name_end = min(shared_prefix(cut_rows[row], rows[row]), length - trailing)
        positions = [*range(leading, name_start), *range(max(name_end, name_start), length - trailing)]
        positions = [item for item in positions if _is_word(int(rows[row, item]), tokenizer)]
        words = [int(rows[row, item]) for item in positions]
        wanted = words if wanted is None else wanted
        if words != wanted or (not after.strip() and name_end < length - trailing):
            raise InvalidInput(
                "template_not_separable",
                f"In template {template!r} the class name {classes[row].name!r} runs into the words around it; "
                "put spaces around {}.",
                field="/prompt_template",
            )
        placement[row, positions] = torch.arange(len(words))
    return placement, wanted or []


def mean_of_templates(features: Tensor, template_count: int) -> Tensor:
    """Prototypes [K, d] of the unit features [T*K, d] of T templates."""
    if template_count == 1:
        return features
    return F.normalize(features.unflatten(0, (template_count, -1)).mean(dim=0), dim=-1)


def _split(template: str) -> tuple[str, str, str]:
    """The template before the class name, the placeholder with the letters that touch it, and the template after."""
    start = template.index(PLACEHOLDER)
    end = start + len(PLACEHOLDER)
    while start and template[start - 1].isalnum():
        start -= 1
    while end < len(template) and template[end].isalnum():
        end += 1
    return template[:start], template[start:end], template[end:]


def _is_word(token_id: int, tokenizer: TextTokenizer) -> bool:
    return any(character.isalnum() for character in tokenizer.decode(token_id))
