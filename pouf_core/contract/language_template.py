"""Templates: what a caller writes around the text, with one mask for the label word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pouf_core.contract.classes import MAX_TEXT_LENGTH
from pouf_core.contract.problems import Problems
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput

MASK = "mask"
TEXT_FIELDS = ("text", "text_a", "text_b")
_FIELD = "/prompt_template"
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_USAGE = "Use {text}, or {text_a} and {text_b}, and one {mask}."


@dataclass(frozen=True)
class Slot:
    """A placeholder: `text`, `text_a`, `text_b` or `mask`."""

    name: str


@dataclass(frozen=True)
class Template:
    """A template taken apart.

    Attributes:
        parts: literal texts and slots, in order; exactly one slot is the mask.
    """

    parts: tuple[str | Slot, ...]

    @property
    def text_fields(self) -> tuple[str, ...]:
        """The text slots in order: `("text",)`, or `text_a` and `text_b`."""
        return tuple(part.name for part in self.parts if isinstance(part, Slot) and part.name != MASK)

    @property
    def takes_pairs(self) -> bool:
        """Whether it needs two texts an item."""
        return len(self.text_fields) == 2

    @property
    def after_mask(self) -> tuple[str | Slot, ...]:
        """The parts that follow the mask."""
        return self.parts[self.parts.index(Slot(MASK)) + 1 :]

    def texts(self, item: TextItem, field: str | None) -> dict[str, str]:
        """An item's texts by slot, without space around them.

        Args:
            item: the item.
            field: JSON pointer of the item, for the error, or None.

        Raises:
            InvalidInput: `text_pair_missing` or `text_pair_not_used`.
        """
        if not self.takes_pairs:
            if item.text_pair is not None:
                raise InvalidInput("text_pair_not_used", "The template has one {text}; this item has two.", field=field)
            return {"text": item.text.strip()}
        if item.text_pair is None:
            message = "The template has {text_a} and {text_b}; this item has one text."
            raise InvalidInput("text_pair_missing", message, field=field)
        return {"text_a": item.text.strip(), "text_b": item.text_pair.strip()}


def parse_template(value: str) -> Template:
    """Check a template for a masked language model. Nothing in it is evaluated.

    Args:
        value: text with `{text}`, or `{text_a}` and `{text_b}` in either order, and one `{mask}`.

    Raises:
        InvalidInput: `template_too_long`, `unknown_placeholder`, `template_without_mask`, `template_with_many_masks`,
            `template_without_text`, `template_repeats_text` or `template_mixes_texts`; `field` is `/prompt_template`.
    """
    if len(value) > MAX_TEXT_LENGTH:
        raise _refused("template_too_long", f"A prompt template has at most {MAX_TEXT_LENGTH} characters.")
    pieces = _PLACEHOLDER.split(value)  # literal, name, literal, name, ..., literal
    names = pieces[1::2]
    _check_names(value, names)
    slots: list[str | Slot] = [Slot(name) for name in names]
    literals: list[str | Slot] = [*pieces[0::2]]
    parts = [literals[0]]
    for slot, literal in zip(slots, literals[1:], strict=True):
        parts += [slot, literal]
    return Template(tuple(part for part in parts if part != ""))


def parse_causal_template(value: str) -> Template:
    """Check a template for a causal language model, which reads up to the mask and nothing after it.

    Without `{mask}` the label word follows the template's end. Punctuation after the mask is dropped.

    Raises:
        InvalidInput: as `parse_template`, and `text_after_mask` where a word or a text would never be read.
    """
    template = parse_template(value if "{mask}" in value else value.rstrip() + " {mask}")
    if any(isinstance(part, Slot) or any(map(str.isalnum, part)) for part in template.after_mask):
        message = f"A causal language model reads nothing after {{mask}}: end the template {value!r} with it."
        raise _refused("text_after_mask", message)
    return Template(template.parts[: template.parts.index(Slot(MASK)) + 1])


def template_of(value: str, *, causal: bool) -> Template:
    """The template for a masked or a causal model; errors as `parse_template` and `parse_causal_template`."""
    return parse_causal_template(value) if causal else parse_template(value)


def parse_one_template(value: str | Sequence[str] | None, default: str, *, causal: bool) -> str:
    """Check what a caller gives as the template of a language model, and return it as it was written.

    Args:
        value: a template, a list of just one, or None for the default.
        default: used for None.
        causal: whether the model reads nothing after the mask.

    Raises:
        InvalidInput: `one_template_needed`, or as `template_of`.
    """
    given = [default] if value is None else [value] if isinstance(value, str) else list(value)
    if len(given) != 1:
        message = f"A language model takes one template, not {len(given)}; a class may have several label words."
        raise _refused("one_template_needed", message)
    template_of(given[0], causal=causal)
    return given[0]


def check_text_limits(limits: Mapping[str, int], template: Template) -> None:
    """Refuse limits of texts that the template does not have.

    Args:
        limits: tokens of a text that are read at most, by `text`, `text_a`, `text_b`.
        template: the template.

    Raises:
        InvalidInput: `invalid_text_limit`, at `/text_limits/{name}`.
    """
    fields = " or ".join(f"{{{field}}}" for field in template.text_fields)
    message = f"A limit is a number of tokens from 1 for a text of the template, which has {fields}."
    problems = Problems()
    for name, limit in limits.items():
        if name not in template.text_fields or limit < 1:
            problems.found.append(InvalidInput("invalid_text_limit", message, field=f"/text_limits/{name}"))
    problems.raise_any()


def check_texts(template: Template, are_pairs: bool) -> None:
    """Refuse a template for pairs where the data is single texts, and the other way round.

    Raises:
        InvalidInput: `text_pair_missing` or `text_pair_not_used`.
    """
    if template.takes_pairs and not are_pairs:
        message = "The template has {text_a} and {text_b}, and the data is single texts: use {text}."
        raise _refused("text_pair_missing", message)
    if are_pairs and not template.takes_pairs:
        message = "The template has one {text}, and the data is pairs of texts: use {text_a} and {text_b}."
        raise _refused("text_pair_not_used", message)


def _check_names(value: str, names: list[str]) -> None:
    for name in names:
        if name not in (MASK, *TEXT_FIELDS):
            raise _refused("unknown_placeholder", f"Template {value!r} has the placeholder {{{name}}}. {_USAGE}")
    masks = names.count(MASK)
    if not masks:
        raise _refused("template_without_mask", f"Template {value!r} needs {{mask}} where the label word goes.")
    if masks > 1:
        raise _refused("template_with_many_masks", f"Template {value!r} has {masks} masks; it needs exactly one.")
    texts = [name for name in names if name != MASK]
    if not texts:
        raise _refused("template_without_text", f"Template {value!r} has no text. {_USAGE}")
    if len(set(texts)) < len(texts):
        raise _refused("template_repeats_text", f"Template {value!r} has a text twice. {_USAGE}")
    if sorted(texts) not in (["text"], ["text_a", "text_b"]):
        raise _refused("template_mixes_texts", f"Template {value!r} has {', '.join(texts)}. {_USAGE}")


def _refused(code: str, message: str) -> InvalidInput:
    return InvalidInput(code, message, field=_FIELD)
