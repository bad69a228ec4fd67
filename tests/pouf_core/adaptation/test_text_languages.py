"""Texts in other languages, where the text tower knows English alone."""

from __future__ import annotations

import pytest

from pouf_core.adaptation.text_languages import foreign_texts_warnings
from pouf_core.data.items import collect_items
from pouf_core.families.registry import describe

GERMAN = ["Sehr gutes Produkt, schnelle Lieferung.", "Leider nach zwei Tagen kaputt.", "Der Kundendienst schweigt."]
ENGLISH = ["My card was charged twice.", "The parcel never came.", "How do I change my address?"]
SHORT = ["iPhone 12 case 64 GB", "invoice 2231: EUR 32.10", "USB-C 2m", "Müller GmbH", "Nike Air Max 90"]


def warned(texts: list[str], base_model: str = "minilm") -> list[str]:
    items, _ = collect_items(texts, "text")
    return [one.message for one in foreign_texts_warnings(describe(base_model), items)]


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (GERMAN, "German"),
        (["Le produit est arrivé en retard.", "Je suis très contente de cet achat."], "French"),
        (["商品很好，物流很快。", "两天后就坏了，非常失望。"], "a language of another script"),
    ],
)
def test_texts_in_another_language_are_warned_of(texts: list[str], language: str) -> None:
    (message,) = warned(texts)
    assert f"look like {language}, and minilm knows English alone" in message
    assert warned(texts, "sentence:/models/of-many-languages") == []


@pytest.mark.parametrize("texts", [ENGLISH, SHORT, [*ENGLISH, GERMAN[1]], ["17", "3.5", "???"]])
def test_english_texts_and_those_that_cannot_be_told_are_not(texts: list[str]) -> None:
    assert warned(texts) == []
