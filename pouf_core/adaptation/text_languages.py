"""Texts in another language than English, where the text tower learned from English alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pouf_core.adaptation.class_languages import LANGUAGES, READ, language_identifier
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.findings import Finding, finding
from pouf_core.data.items import Item
from pouf_core.data.texts import TextItem

_MOST_TEXTS, _MOST_CHARACTERS = 64, 300
_LIKELY = 0.99  # short texts full of names and numbers stay below


def foreign_texts_warnings(base: BaseModelDescription, items: Sequence[Item]) -> list[Finding]:
    """A warning where most of the texts, told by some of all together, are in a language that `base` cannot read."""
    if base.modality != "text" or not base.reads_only_english:
        return []
    language = _language_of(_sample(items))
    if language is None:
        return []
    message = (
        f"The texts look like {language}, and {base.name} knows English alone: what it says of them is hardly to be "
        "trusted. Use a base model of many languages, or have them translated before."
    )
    return [finding("texts_not_english", message)]


def _sample(items: Sequence[Item]) -> str:
    step = max(1, len(items) // _MOST_TEXTS)
    texts = [items[place].text() for place in range(0, len(items), step)[:_MOST_TEXTS]]
    return "\n".join((one.text if isinstance(one, TextItem) else one)[:_MOST_CHARACTERS] for one in texts)


def _language_of(text: str) -> str | None:
    """Return the language other than English; None where it is English, or cannot be told."""
    latin = [unicodedata.name(letter, "").startswith("LATIN") for letter in text if letter.isalpha()]
    if sum(latin) * 2 < len(latin):
        return "a language of another script"
    language, likely = language_identifier().rank(text.lower())[0]
    return LANGUAGES[language] if likely >= _LIKELY and language not in READ else None
