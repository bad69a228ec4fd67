"""Class names in another language than English, in Latin letters, told by py3langid from all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName
from pouf_core.contract.findings import Finding, finding

LANGUAGES = {
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "es": "Spanish",
    "et": "Estonian",
    "fi": "Finnish",
    "fr": "French",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sv": "Swedish",
    "tr": "Turkish",
}
READ = ("en", "la")  # which names species
_LIKELY = 0.8
"""Chosen on half of 45 lists of English, Latin and brand names and of the names of emoji in 16 languages, in samples of
2 to 20: on the other half 0.8 % of the English ones were warned of, and 90 % of five names and 99 % of ten in another
language. Of short lists of everyday words, four to six, 35 % were."""
_MOST_NAMES = 500


def other_language_warnings(base: BaseModelDescription, classes: Sequence[ClassName]) -> list[Finding]:
    """A warning where the names are likely in another language than the only one that the text tower knows, else none.

    Single names cannot be told, nor lists of few words that languages share; the warning asks no one to change any.
    """
    if not base.reads_only_english:
        return []
    names = ", ".join(item.wording.lower() for item in classes[:_MOST_NAMES])
    language, likely = language_identifier().rank(names)[0]
    if language in READ or likely < _LIKELY:
        return []
    message = (
        f"The class names look like {LANGUAGES[language]}, and the text encoder of {base.name} knows English alone. "
        'If they are not English, give each an English wording, as {"name": "Hund", "prompt": "dog"}, or use a base '
        "model of many languages."
    )
    return [finding("class_names_not_english", message)]


@lru_cache(maxsize=1)
def language_identifier() -> Any:
    """What tells languages; loading it takes most of a second, once a process."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # 100 MB of memory

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*READ, *LANGUAGES])
    return identifier
