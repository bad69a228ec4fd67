"""Base models by an engine: which part it runs, and when that is given back to PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pouf_core.engines.interface import EngineOffer
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.loading import load_base_model
from tests.pouf_core.architecture_cases import FAMILIES, save_family
from tests.pouf_core.conftest import draw_shape
from tests.pouf_core.sentence_encoders import save_sentence_encoder

PICTURES = [draw_shape("circle", index) for index in range(9)]
TEXTS = [f"the film number {index} was {'very ' * index}good" for index in range(9)]


def model_of(name: str, directory: Path) -> CosineModel:
    if name == "sentence":
        return load_base_model(f"sentence:{save_sentence_encoder(directory / name)}")
    save_family(FAMILIES[name], directory / name)
    return load_base_model(FAMILIES[name].spec(directory / name))


@pytest.mark.parametrize(
    ("name", "separate"), [("sentence", True), ("hf-clip", True), ("convnext", True), ("vit", True), ("resnet", False)]
)
def test_an_engine_gives_the_same_features_until_its_part_is_trained(name: str, separate: bool, tmp_path: Path) -> None:
    model = model_of(name, tmp_path)
    items = TEXTS if name == "sentence" else PICTURES
    expected = model.encode_plain(items)
    model.offer_engine(EngineOffer(tmp_path / "engines"))
    assert torch.allclose(model.encode_plain(items), expected, atol=1e-5)
    assert model.engine_used.name == "openvino"
    assert model.has_separate_projection == separate
    tower = model.network.get_submodule(model.item_tower)
    if separate:
        for parameter in (item for key, item in model.network.named_parameters() if key.startswith(model.projection)):
            parameter.requires_grad_(True)
        model.frozen.release_if_trained()
        assert model.engine_used.name == "openvino"
    next(iter(tower.parameters())).requires_grad_(True)
    model.frozen.release_if_trained()
    assert model.engine_used.name == "torch"
    assert torch.equal(model.encode_plain(items), expected)


def test_copies_are_offered_the_engine_with_weights_of_their_own(tmp_path: Path) -> None:
    model = model_of("vit", tmp_path)
    model.offer_engine(EngineOffer(tmp_path / "engines"))
    before = model.encode_plain(PICTURES)
    other = model.copy()
    with torch.no_grad():
        other.network.visual.proj.mul_(-1)
    assert torch.allclose(other.encode_plain(PICTURES), -before, atol=1e-5)
    assert other.engine_used.name == "openvino"
    assert torch.equal(model.encode_plain(PICTURES), before)
