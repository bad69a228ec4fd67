"""How classes and texts are put into words for a base model: templates and label words, checked before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName, parse_templates
from pouf_core.contract.label_words import LabelWords, parse_label_words
from pouf_core.contract.language_template import (
    Template,
    check_text_limits,
    check_texts,
    parse_one_template,
    template_of,
)
from pouf_core.errors import InvalidInput


def templates_for(base: BaseModelDescription, value: str | Sequence[str] | None) -> list[str]:
    """Check the prompt template, or an ensemble where the base model takes one; None is the base model's own.

    Raises:
        InvalidInput: as `parse_templates`, or for a language model as `parse_one_template`.
    """
    default = base.default_prompt_template
    if base.is_language_model:
        return [parse_one_template(value, default, causal=_is_causal(base))]
    return parse_templates(value, default)


def label_words_for(
    base: BaseModelDescription, value: LabelWords | None, classes: Sequence[ClassName]
) -> list[tuple[str, ...]]:
    """The label words of every class of a language model; none for another base model.

    Raises:
        InvalidInput: `label_words_not_used`, or as `parse_label_words`.
    """
    if base.is_language_model:
        return parse_label_words(value, classes)
    if value is not None:
        message = f"{base.name} is no language model and takes no label words; leave them out."
        raise InvalidInput("label_words_not_used", message, field="/label_words")
    return []


def text_limits_for(
    base: BaseModelDescription, value: Mapping[str, int] | None, templates: Sequence[str]
) -> dict[str, int]:
    """How many tokens of each text are read at most; empty where nothing but the model's own length limits them.

    Args:
        base: the base model.
        value: tokens by `text`, `text_a`, `text_b`.
        templates: as `templates_for` gave them.

    Raises:
        InvalidInput: `text_limits_not_used`, or `invalid_text_limit`.
    """
    template = language_template(base, templates)
    if template is not None:
        check_text_limits(value or {}, template)
    elif value is not None:
        message = f"{base.name} is no language model and takes no limits of texts; leave them out."
        raise InvalidInput("text_limits_not_used", message, field="/text_limits")
    return dict(value or {})


def check_text_items(base: BaseModelDescription, templates: Sequence[str], are_pairs: bool) -> None:
    """Refuse data that the base model, or its template, does not take.

    Args:
        base: a base model of texts.
        templates: as `templates_for` gave them.
        are_pairs: whether the items are pairs of texts.

    Raises:
        InvalidInput: `text_pair_not_supported`, `text_pair_missing` or `text_pair_not_used`.
    """
    template = language_template(base, templates)
    if template is not None:
        check_texts(template, are_pairs)
    elif are_pairs:
        raise InvalidInput(
            "text_pair_not_supported",
            f"The data is pairs of texts. {base.name} embeds single texts, and a pair joined to one text means "
            "another: use a language model (minilm-mlm, hf-mlm:…).",
            field="/base_model",
        )


def language_template(base: BaseModelDescription, templates: Sequence[str]) -> Template | None:
    """The template of a language model, taken apart; None for another base model."""
    return template_of(templates[0], causal=_is_causal(base)) if base.is_language_model else None


def _is_causal(base: BaseModelDescription) -> bool:
    return base.family == "hf-causal"
