"""Class names that a text tower of English cannot read."""

from __future__ import annotations

import pytest

from pouf_core.contract.class_scripts import other_scripts_warnings
from pouf_core.contract.classes import parse_class_names
from pouf_core.families.registry import describe


def warned(names: list[str | dict[str, object]], base_model: str = "pouf-lite") -> str | None:
    found = other_scripts_warnings(describe(base_model), parse_class_names(names))
    return found[0].message if found else None


def test_names_in_another_script_are_listed_where_the_text_tower_knows_english_alone() -> None:
    message = warned(["犬", "кошка", "bird"])
    assert message is not None
    assert "'犬', 'кошка'" in message
    assert "bird" not in message
    many = warned([f"猫{number}" for number in range(40)])
    assert many is not None
    assert "and 30 more" in many


@pytest.mark.parametrize("names", [["café", "jalapeño"], ["α-helix", "5 €"], [{"name": "犬", "prompt": "dog"}, "cat"]])
def test_latin_letters_and_english_wordings_are_fine(names: list[str | dict[str, object]]) -> None:
    assert warned(names) is None


@pytest.mark.parametrize(
    ("base_model", "is_warned_of"),
    [
        ("minilm", True),
        ("open_clip:ViT-B-32/openai", True),
        ("open_clip:ViT-B-16-SigLIP2/webli", False),
        ("open_clip:xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k", False),
        ("open_clip:ViT-B-32//models/own.pt", False),
        ("open_clip:/models/own", False),
        ("sentence:/models/own", False),
    ],
)
def test_base_models_of_many_or_unknown_languages_are_trusted(base_model: str, is_warned_of: bool) -> None:
    assert (warned(["犬", "猫"], base_model) is not None) == is_warned_of
