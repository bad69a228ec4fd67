"""Towers attend by PyTorch's fused attention, in training too; a GPU computes it without the matrix of scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.loading import load_base_model


@pytest.fixture
def attentions(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Shapes of the queries of every fused attention."""
    seen: list[torch.Size] = []
    attend: Callable[..., Tensor] = torch.nn.functional.scaled_dot_product_attention

    def noting(query: Tensor, *arguments: object, **settings: object) -> Tensor:
        seen.append(query.shape)
        return attend(query, *arguments, **settings)

    monkeypatch.setattr("torch.nn.functional.scaled_dot_product_attention", noting)
    return seen


def test_both_towers_of_a_vision_transformer_do(tiny_clip_directory: Path, attentions: list[torch.Size]) -> None:
    model = load_base_model(f"open_clip:{tiny_clip_directory}")
    assert isinstance(model, ClipLikeModel)
    model.network.requires_grad_(True)
    attentions.clear()
    model.encode_images(torch.zeros(2, 3, 32, 32))
    assert len(attentions) == len(model.network.visual.transformer.resblocks)
    model.text(model.tokenizer(["a cat"]))
    assert len(attentions) == 2 * len(model.network.visual.transformer.resblocks)


@pytest.mark.parametrize("name", ["pouf-lite", "minilm", "minilm-mlm"])
def test_the_embedded_text_towers_do(name: str, attentions: list[torch.Size]) -> None:
    model = load_base_model(name)
    network = getattr(model.network, "text", model.network)
    tokens = torch.full((2, 5), 100)
    attentions.clear()
    network(tokens)
    assert len(attentions) == 6
