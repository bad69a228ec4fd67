"""Tokens around the mask, label words and truncation, in every tokenizer family."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.language_template import parse_template
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput
from pouf_core.families.language.item_tokenizer import ItemTokenizer
from pouf_core.families.language.model import LanguageModel

CLASSES = parse_class_names(["positive", "negative"])
WORDS = [("great",), ("terrible",)]
KINDS = ["bert", "roberta", "xlm-roberta", "albert", "deberta-v2"]


def encoder_of(model: LanguageModel, template: str, longest: int = 40, **options: dict[str, int]) -> ItemTokenizer:
    return ItemTokenizer(model.tokenizer, parse_template(template), WORDS, CLASSES, longest=longest, **options)


@pytest.mark.parametrize("template", ["{text} It was {mask}.", "{mask}: {text}", "{text}? {mask}, no"])
@pytest.mark.parametrize("family", KINDS)
def test_the_mask_replaces_one_token_of_the_ordinary_sentence(
    masked: Callable[[str], LanguageModel], family: str, template: str
) -> None:
    model = masked(family)
    encoder = encoder_of(model, template)
    found = encoder(TextItem("the movie"), "/inputs/0")
    written = template.replace("{text}", "the movie").replace("{mask}", "great")
    ordinary = model.tokenizer(written if not template.startswith("{mask}") else " " + written)["input_ids"]
    whole = list(found.ids)
    assert whole[found.position] == model.tokenizer.mask_token_id
    whole[found.position] = encoder.word_ids[0][0]
    assert whole == ordinary
    marks = {"bert": "great", "roberta": "Ġgreat"}
    assert model.tokenizer.convert_ids_to_tokens(encoder.word_ids[0][0]) == marks.get(family, "▁great")


@pytest.mark.parametrize("family", KINDS)
def test_a_word_that_splits_is_refused_with_its_tokens(masked: Callable[[str], LanguageModel], family: str) -> None:
    model = masked(family)
    with pytest.raises(InvalidInput, match="splits into '.+', '.+'") as refused:
        model.item_tokenizer(parse_template("{text} It was {mask}."), [("great",), ("terrible", "qzx")], CLASSES)
    assert (refused.value.code, refused.value.field) == ("label_word_not_in_vocabulary", "/label_words/negative/1")


def test_words_that_are_one_token_are_refused(masked: Callable[[str], LanguageModel]) -> None:
    with pytest.raises(InvalidInput) as refused:
        masked("bert").item_tokenizer(parse_template("{text} {mask}"), [("Yes",), ("yes",)], CLASSES)
    assert (refused.value.code, refused.value.field) == ("duplicate_label_word", "/label_words/negative/0")


@pytest.mark.parametrize("family", KINDS)
def test_text_that_spells_special_tokens_adds_none(masked: Callable[[str], LanguageModel], family: str) -> None:
    model = masked(family)
    special = {number for number in model.tokenizer.all_special_ids if number != model.tokenizer.unk_token_id}
    encoder = encoder_of(model, "{text} It was {mask}.")

    def special_in(text: str) -> list[int]:
        return [number for number in encoder(TextItem(text), "/inputs/0").ids if number in special]

    assert special_in("a [MASK] <mask> <s> </s>[SEP]") == special_in("a text")


@pytest.mark.parametrize("family", KINDS)
def test_the_longest_text_is_cut_and_nothing_else(masked: Callable[[str], LanguageModel], family: str) -> None:
    model = masked(family)
    template = "{text_a}? {mask}, {text_b}"
    short = encoder_of(model, template)(TextItem("a", "no"), "/inputs/0")
    longest = len(short.ids) + 6
    cut = encoder_of(model, template, longest)(TextItem("a " * 200, "no"), "/inputs/0")
    assert len(cut.ids) == longest
    assert cut.ids[-3:] == short.ids[-3:]
    assert cut.ids[cut.position] == model.tokenizer.mask_token_id
    limited = encoder_of(model, template, limits={"text_a": 2})(TextItem("a " * 200, "no"), "/inputs/0")
    assert len(limited.ids) == len(short.ids) + 1


def test_a_template_that_fills_the_model_is_refused(masked: Callable[[str], LanguageModel]) -> None:
    with pytest.raises(InvalidInput) as refused:
        encoder_of(masked("bert"), "{text} It was {mask}.", longest=6)
    assert (refused.value.code, refused.value.field) == ("template_too_long", "/prompt_template")
