"""Causal language models are asked at the template's end, and padding changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.language_template import parse_causal_template
from pouf_core.data.texts import TextItem
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.loading import load_base_model
from tests.pouf_core.families.language.tiny_models import ARCHITECTURES, save_causal

CLASSES = parse_class_names(["positive", "negative"])
TEMPLATE = parse_causal_template("{text} It was {mask}.")
ITEMS = [TextItem("no"), TextItem("this is a long story, a long text"), TextItem("the movie was long")]


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LanguageModel]:
    root: Path = tmp_path_factory.mktemp("causal")

    def load(name: str) -> LanguageModel:
        directory = root / name
        if not directory.exists():
            save_causal(name, directory)
        return load_base_model(f"hf-causal:{directory}")

    return load


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_padded_items_score_as_they_do_alone_and_as_the_model_itself(
    causal: Callable[[str], LanguageModel], name: str
) -> None:
    model = causal(name)
    encoder = model.item_tokenizer(TEMPLATE, [("great",), ("terrible",)], CLASSES)
    encoded = [encoder(item, "/inputs/0") for item in ITEMS]
    ids = [own[0] for own in encoder.word_ids]
    assert model.tokenizer.convert_ids_to_tokens(ids) == ["Ġgreat", "Ġterrible"]
    with torch.no_grad():
        batch = model.batch(encoded)
        assert batch.attention[0, 0] == 0 and (batch.asked == batch.ids.shape[1] - 1).all()
        classifier = LabelWordClassifier.of(model.head, encoder.word_ids)
        together = classifier(model.features(batch)).class_logits
        for row, (item, alone) in enumerate(zip(ITEMS, encoded, strict=True)):
            text = model.tokenizer(f"{item.text} It was", return_tensors="pt")
            assert text["input_ids"][0].tolist() == list(alone.ids)
            own = model.network(**text).logits[0, -1, ids]
            assert torch.allclose(together[row], own, rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3
