"""Masked language models by an engine, as long as they are frozen and have no context vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pouf_core.engines.interface import EngineOffer
from pouf_core.families.language.item_tokenizer import ItemTokens
from pouf_core.families.language.model import LanguageModel
from tests.pouf_core.families.language.tiny_models import FAMILIES

ITEMS = [
    ItemTokens(tuple(10 + (7 * number + place) % 40 for place in range(5 + number)), number % 5, (-1,) * (5 + number))
    for number in range(9)
]
LONG = [ItemTokens(tuple(10 + (3 * place) % 40 for place in range(30)), 20, (-1,) * 30)]


def features(model: LanguageModel, items: list[ItemTokens]) -> torch.Tensor:
    with torch.inference_mode():
        return model.features(model.batch(items))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_engine_gives_the_same_features(masked: Callable[[str], LanguageModel], family: str, tmp_path: Path) -> None:
    model = masked(family)
    with torch.no_grad():
        batch = model.batch(ITEMS)
        hidden = model.network.base_model(input_ids=batch.ids, attention_mask=batch.attention).last_hidden_state
        expected = model.head.transform(hidden[torch.arange(len(ITEMS)), batch.asked])
    assert torch.allclose(features(model, ITEMS), expected, atol=1e-5)
    long = features(model, LONG)
    model.offer_engine(EngineOffer(tmp_path / "engines"))
    assert torch.allclose(features(model, ITEMS), expected, atol=1e-3)
    assert torch.allclose(features(model, ITEMS[3:4]), expected[3:4], atol=1e-3)
    assert torch.allclose(features(model, LONG), long, atol=1e-3)
    assert model.engine_used.name == "openvino"


def test_what_is_trained_and_what_has_context_vectors_is_run_by_pytorch(
    masked: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model = masked("bert")
    model.offer_engine(EngineOffer(tmp_path / "engines"))
    batch = model.batch(ITEMS)
    with torch.inference_mode():
        context = model.features(batch, torch.zeros(1, 16))
        assert torch.equal(context, masked("bert").features(batch, torch.zeros(1, 16)))
    assert model.engine_used.name == "torch"
    features(model, ITEMS)
    assert model.engine_used.name == "openvino"
    next(model.network.parameters()).requires_grad_(True)
    model.frozen.release_if_trained()
    assert model.engine_used.name == "torch"
    assert torch.equal(features(model, ITEMS), features(masked("bert"), ITEMS))
