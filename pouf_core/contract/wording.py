"""How classes and texts are put into words for a base model: templates, label words, limits of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from pouf_core.contract.method import MethodSpec
from pouf_core.contract.method_checks import trains_text_tower
from pouf_core.errors import InvalidInput


@dataclass(frozen=True)
class Wording:
    """Checked templates, and what only language models have beside them.

    Attributes:
        templates: the base model's own where the caller gave none.
        language_template: the one template of a language model, taken apart; None for another base model.
        label_words: of every class, in order; empty for another base model.
        text_limits: tokens that are read at most, by text field of the template.
    """

    templates: list[str]
    language_template: Template | None = None
    label_words: list[tuple[str, ...]] = field(default_factory=list)
    text_limits: dict[str, int] = field(default_factory=dict)

    def check_texts(self, base: BaseModelDescription, are_pairs: bool) -> None:
        """Refuse texts that the base model, or its template, does not take.

        Args:
            base: a base model of texts.
            are_pairs: whether the items are pairs of texts.

        Raises:
            InvalidInput: `text_pair_not_supported`, `text_pair_missing` or `text_pair_not_used`.
        """
        if self.language_template is not None:
            check_texts(self.language_template, are_pairs)
        elif are_pairs and not base.takes_pairs:
            raise InvalidInput(
                "text_pair_not_supported",
                f"The data is pairs of texts. {base.name} embeds single texts, and a pair joined to one text means "
                "another: use a language model (minilm-mlm, hf-mlm:…).",
                field="/base_model",
            )


def templates_for(base: BaseModelDescription, value: str | Sequence[str] | None, method: MethodSpec) -> list[str]:
    """Check the prompt template, or an ensemble where the base model takes one; None is the base model's own.

    Of the base model's own ensemble, a method that trains through the text tower takes the first: each further template
    would cost every step as much again, and the paper has one.

    Raises:
        InvalidInput: as `parse_templates`, or for a language model as `parse_one_template`; `prompt_template_not_used`
            where classes are the caller's features.
    """
    if base.takes_class_features:
        if value:
            message = f"{base.name} takes class features in place of prompts; leave prompt_template out."
            raise InvalidInput("prompt_template_not_used", message, field="/prompt_template")
        return []
    default = base.default_prompt_templates[:1] if trains_text_tower(method) else base.default_prompt_templates
    if base.takes_label_words:
        return [parse_one_template(value, default[0], causal=not base.reads_after_mask)]
    return parse_templates(value, default)


def label_words_for(
    base: BaseModelDescription, value: LabelWords | None, classes: Sequence[ClassName] | None
) -> list[tuple[str, ...]]:
    """The label words of every class of a language model; none for another base model.

    Args:
        base: the base model.
        value: class name to its label words.
        classes: K classes; None where the class names are wrong, and then no word is checked.

    Raises:
        InvalidInput: `label_words_not_used`, or as `parse_label_words`.
    """
    if base.takes_label_words:
        return [] if classes is None else parse_label_words(value, classes)
    if value is not None:
        message = f"{base.name} is no language model and takes no label words; leave them out."
        raise InvalidInput("label_words_not_used", message, field="/label_words")
    return []


def text_limits_for(
    base: BaseModelDescription, value: Mapping[str, int] | None, template: Template | None
) -> dict[str, int]:
    """How many tokens of each text are read at most; empty where nothing but the model's own length limits them.

    Args:
        base: the base model.
        value: tokens by `text`, `text_a`, `text_b`.
        template: as `language_template` gave it; None where the template is wrong, and then no limit is checked.

    Raises:
        InvalidInput: `text_limits_not_used`, or `invalid_text_limit`.
    """
    if value is not None and not base.takes_label_words:
        message = f"{base.name} is no language model and takes no limits of texts; leave them out."
        raise InvalidInput("text_limits_not_used", message, field="/text_limits")
    if template is not None:
        check_text_limits(value or {}, template)
    return dict(value or {})


def language_template(base: BaseModelDescription, templates: Sequence[str]) -> Template | None:
    """The template of a language model, taken apart; None for another base model."""
    return template_of(templates[0], causal=not base.reads_after_mask) if base.takes_label_words else None
