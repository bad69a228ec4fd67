"""Class names in a script that a base model cannot read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName
from pouf_core.contract.findings import Finding, finding, listed


def other_scripts_warnings(base: BaseModelDescription, classes: Sequence[ClassName]) -> list[Finding]:
    """A warning of names that are, by most of their letters, in another script than the Latin one, else none.

    They are read where the text tower knows more than English.
    Of other languages in Latin letters a job warns, see `pouf_core.adaptation.class_languages`.
    """
    if not base.reads_only_english:
        return []
    foreign = [item.name for item in classes if _is_of_another_script(item.wording)]
    if not foreign:
        return []
    message = (
        f"The text encoder of {base.name} knows English alone, and cannot read {listed(foreign)}. Give such a class an "
        'English wording, as {"name": "犬", "prompt": "dog"}, or use a base model of many languages.'
    )
    return [finding("class_names_not_english", message)]


def _is_of_another_script(text: str) -> bool:
    latin = [unicodedata.name(letter, "").startswith("LATIN") for letter in text if letter.isalpha()]
    return sum(latin) * 2 < len(latin)
