"""Class names and prompt templates: what a caller writes, checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema

from pouf_core.contract.names_in_words import in_words
from pouf_core.contract.normal_form import normalized
from pouf_core.contract.problems import Problems
from pouf_core.errors import InvalidInput

PLACEHOLDER = "{}"
DEFAULT_TEMPLATE = "a photo of a {}."
_AMBIGUOUS = -1
_CONTROLS = frozenset(("Cc", "Cs", "Zl", "Zp"))  # Unicode categories: control, surrogate, line and paragraph separators
PICTURE_TEMPLATES = (
    DEFAULT_TEMPLATE,
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""CLIP's template, and the seven that its authors found to do as well as their 80 (Radford et al., 2021; notebook
`Prompt_Engineering_for_ImageNet` of github.com/openai/CLIP)."""
#: What copying leaves behind: zero-width space, word joiner, byte order mark, soft hyphen.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_HYPHEN = re.compile(r"(?<!^)-|-(?!\d)")  # no minus
_MOST_DIGITS = 9  # of a label that may be a class's place
_WHOLE_NUMBER = re.compile(r"^\+?(-?)0*(\d{1,15})(?:\.0+)?$")
MAX_CLASSES = 10_000
MAX_TEXT_LENGTH = 500
_LONGEST_LABEL = 4 * MAX_TEXT_LENGTH  # that may mean a class, of which it has other forms of letters and spaces
#: Of all class names and their prompts together.
MAX_CHARACTERS_OF_CLASSES = 1_000_000
MAX_TEMPLATES = 1000
MAX_CHARACTERS_OF_TEMPLATES = 100_000
# checked by `parse_class_names`, which has a code for everything that can be wrong
ClassNames = Annotated[
    list[Any],
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 2,
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "prompt": {"type": "string"}},
                        "required": ["name"],
                        "additionalProperties": False,
                    },
                ]
            },
        }
    ),
]


class ClassName(BaseModel):
    """A class: the label that predictions carry and, where it differs, its wording in prompts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    prompt: str | None = None

    @property
    def wording(self) -> str:
        """The text that stands for the class in a prompt: as it is given, else its name in words.

        Underscores read as spaces in both.
        """
        return in_words(self.name) if not self.prompt else " ".join(self.prompt.replace("_", " ").split())


def listed_classes(
    values: Iterable[str | Mapping[str, object] | ClassName],
) -> list[str | Mapping[str, object] | ClassName]:
    """Class names as a list.

    Raises:
        InvalidInput: `invalid_class_name` of one text, whose characters would be the names.
    """
    if isinstance(values, str):
        message = f"The class names are one text, {values[:60]!r}. Give them as a list."
        raise InvalidInput("invalid_class_name", message, field="/class_names")
    return list(values)


def parse_class_names(values: Sequence[str | Mapping[str, object] | ClassName]) -> list[ClassName]:
    """Check class names and give them one form.

    Args:
        values: 2 to 10,000 names, or `{"name", "prompt"}` where the label differs from its wording.

    Raises:
        InvalidInput: `too_few_classes`, `too_many_classes`, `class_names_too_long`.
        InvalidRequest: with every item that is wrong: `empty_class_name`, `duplicate_class_name`,
            `class_name_too_long`, `class_name_control_character` or `invalid_class_name`; `field` points at it.
    """
    if len(values) < 2:
        raise InvalidInput("too_few_classes", "Give at least two class names.", field="/class_names")
    if len(values) > MAX_CLASSES:
        raise InvalidInput("too_many_classes", f"Give at most {MAX_CLASSES:,} class names.", field="/class_names")
    if sum(len(str(value)) for value in values) > MAX_CHARACTERS_OF_CLASSES:
        message = f"Class names and their prompts have at most {MAX_CHARACTERS_OF_CLASSES:,} characters together."
        raise InvalidInput("class_names_too_long", message, field="/class_names")
    classes: list[ClassName] = []
    problems = Problems()
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        item = problems.attempt(partial(_new_class_name, value, index, seen))
        if item is not None:
            classes.append(item)
    problems.raise_any()
    return classes


def _new_class_name(value: str | Mapping[str, object] | ClassName, index: int, seen: dict[str, int]) -> ClassName:
    field = f"/class_names/{index}"
    item = _parse_class_name(value, field)
    first = seen.setdefault(_comparable(item.name), index)
    if first != index:
        message = f"Class name {item.name!r} repeats item {first}; every class needs its own name."
        raise InvalidInput("duplicate_class_name", message, field=field)
    return item


def _parse_class_name(value: str | Mapping[str, object] | ClassName, field: str) -> ClassName:
    try:
        class_name = ClassName(name=value) if isinstance(value, str) else ClassName.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(
            "invalid_class_name", 'A class is a string or {"name": …, "prompt": …}.', field=field
        ) from error
    if not all(text.translate(_INVISIBLE).strip() for text in (class_name.name, class_name.wording)):
        raise InvalidInput("empty_class_name", "A class name must not be empty.", field=field)
    if max(len(class_name.name), len(class_name.wording)) > MAX_TEXT_LENGTH:
        message = f"A class name has at most {MAX_TEXT_LENGTH} characters."
        raise InvalidInput("class_name_too_long", message, field=field)
    if any(unicodedata.category(each) in _CONTROLS for each in class_name.name + (class_name.prompt or "")):
        message = "A class name, or its prompt, has no line breaks, tabs or other control characters; leave them out."
        raise InvalidInput("class_name_control_character", message, field=field)
    return class_name


def _normal(name: str) -> str:
    return normalized("NFC", name)


def _comparable(name: str) -> str:
    return " ".join(normalized("NFKC", name.translate(_INVISIBLE)).replace("_", " ").casefold().split())


def _loose(name: str) -> str:
    """A name without what tables and folders change: hyphens, and `1.0` or `01` for 1."""
    words = " ".join(_HYPHEN.sub(" ", _comparable(name)).split())
    return _WHOLE_NUMBER.sub(r"\1\2", words)


def _read(name: str) -> str:
    return _loose(in_words(name.strip()))


def match_labels(labels: Iterable[str], classes: Sequence[ClassName]) -> dict[str, int]:
    """Index of the class that each label means; labels that mean none are left out.

    A label means the class of its name. Where there is none, it means the only class whose name differs in Unicode
    form, case, spacing and underscores; then in hyphens and in how a whole number is written; then in words run
    together (`AnnualCrop`). Where none of the labels is a class's name, a number means the class at that place, from 0;
    unless there is one too large, for then they count from 1, or something else.
    """
    known = {label for label in labels if len(label) <= _LONGEST_LABEL}
    found: dict[str, int] = {}
    for form in (str, _normal, _comparable, _loose, _read):
        places: dict[str, int] = {}
        for index, item in enumerate(classes):
            places[form(item.name)] = _AMBIGUOUS if form(item.name) in places else index
        named = {label: places.get(form(label), _AMBIGUOUS) for label in known - found.keys()}
        found |= {label: index for label, index in named.items() if index != _AMBIGUOUS}
    if found:
        return found
    written = {label: _loose(label) for label in known}
    numbers = {label: int(number) for label, number in written.items() if _is_number(number)}
    return numbers if all(number < len(classes) for number in numbers.values()) else {}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def parse_templates(value: str | Sequence[str] | None, default: Sequence[str] = (DEFAULT_TEMPLATE,)) -> list[str]:
    """Check one prompt template or an ensemble of them; None is the default.

    Raises:
        InvalidInput: `no_template`, `too_many_templates`, `templates_too_long`, `template_without_placeholder`,
            `template_with_many_placeholders`, `duplicate_template` or `template_too_long`.
    """
    if value is None:
        return list(default)
    templates = [value] if isinstance(value, str) else list(value)
    if not templates:
        raise InvalidInput("no_template", "Give at least one prompt template.", field="/prompt_template")
    if len(templates) > MAX_TEMPLATES:
        message = f"Give at most {MAX_TEMPLATES:,} prompt templates."
        raise InvalidInput("too_many_templates", message, field="/prompt_template")
    if sum(map(len, templates)) > MAX_CHARACTERS_OF_TEMPLATES:
        message = f"Prompt templates have at most {MAX_CHARACTERS_OF_TEMPLATES:,} characters together."
        raise InvalidInput("templates_too_long", message, field="/prompt_template")
    problems = Problems()
    for template in templates:
        problems.attempt(partial(_check_template, template))
    problems.raise_any()
    if len(set(templates)) != len(templates):
        raise InvalidInput("duplicate_template", "Prompt templates must differ.", field="/prompt_template")
    return templates


def _check_template(template: str) -> None:
    count = template.count(PLACEHOLDER)
    if count == 0:
        raise InvalidInput(
            "template_without_placeholder",
            f"Prompt template {template!r} needs {{}} where the class name goes, as in {DEFAULT_TEMPLATE!r}.",
            field="/prompt_template",
        )
    if count > 1:
        raise InvalidInput(
            "template_with_many_placeholders",
            f"Prompt template {template!r} has {count} placeholders; it needs exactly one {{}}.",
            field="/prompt_template",
        )
    if len(template) > MAX_TEXT_LENGTH:
        raise InvalidInput(
            "template_too_long",
            f"A prompt template has at most {MAX_TEXT_LENGTH} characters.",
            field="/prompt_template",
        )


def fill(template: str, wording: str) -> str:
    """The prompt of one class."""
    return template.replace(PLACEHOLDER, wording)
