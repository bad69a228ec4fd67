"""What a template and label words may be."""

from __future__ import annotations

import pytest

from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.label_words import parse_label_words
from pouf_core.contract.language_template import parse_causal_template, parse_template
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("{text} It was.", "template_without_mask"),
        ("{text} {mask} {mask}", "template_with_many_masks"),
        ("It was {mask}.", "template_without_text"),
        ("{text} {text} {mask}", "template_repeats_text"),
        ("{text} {text_b} {mask}", "template_mixes_texts"),
        ("{text_a} {mask}", "template_mixes_texts"),
        ("{text} {__class__} {mask}", "unknown_placeholder"),
        ("{text} {mask}" + "x" * 500, "template_too_long"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(value: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_template(value)
    assert (refused.value.code, refused.value.field) == (code, "/prompt_template")


def test_items_must_have_as_many_texts_as_the_template() -> None:
    for template, item, code in [
        ("{text} {mask}", TextItem("a", "b"), "text_pair_not_used"),
        ("{text_a} {mask} {text_b}", TextItem("a"), "text_pair_missing"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            parse_template(template).texts(item, "/inputs/3")
        assert (refused.value.code, refused.value.field) == (code, "/inputs/3")


def test_a_causal_template_ends_at_the_mask() -> None:
    assert parse_causal_template("{text} It was {mask}.") == parse_causal_template("{text} It was")
    with pytest.raises(InvalidInput) as refused:
        parse_causal_template("{mask}: {text}")
    assert refused.value.code == "text_after_mask"


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        ({"c": "x"}, "unknown_class", "/label_words/c"),
        ({"a/b": []}, "no_label_word", "/label_words/a~1b"),
        ({"a/b": ["x", " "]}, "empty_label_word", "/label_words/a~1b/1"),
        ({"a/b": "x", "b": ["y", "x"]}, "duplicate_label_word", "/label_words/b/1"),
    ],
)
def test_label_words_that_cannot_be_used_are_refused(words: dict[str, list[str]], code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_label_words(words, parse_class_names(["a/b", "b"]))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_class_without_label_words_is_its_own() -> None:
    classes = parse_class_names(["good_one", "bad"])
    assert parse_label_words({"bad": ["poor", "bad"]}, classes) == [("good one",), ("poor", "bad")]
