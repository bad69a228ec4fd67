"""The registry of families: names, descriptions, and what a family that joins it needs to touch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch

import pouf_core
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.method import MethodSpec
from pouf_core.contract.presets import PRESETS
from pouf_core.contract.tune_modes import MODE_SETTINGS, TUNE_MODES, ModelKind, Tune, tune_modes_of
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.family import Family
from pouf_core.families.registry import FAMILIES, describe, embedded_base_models
from tests.pouf_core.conftest import CLASS_NAMES

NAMES = {
    "pouf-lite": ("pouf-lite", "image", True),
    "minilm": ("minilm", "text", True),
    "minilm-mlm": ("minilm-mlm", "text", True),
    "features": ("features", "embedding", True),
    "open_clip:ViT-B-32/openai": ("open_clip", "image", False),
    "open_clip:./model": ("open_clip", "image", False),
    "sentence:/models/all": ("sentence", "text", False),
    "hf-align:google/siglip": ("hf-align", "image", False),
    "hf-mlm:roberta-large": ("hf-mlm", "text", False),
    "hf-causal:~/gpt": ("hf-causal", "text", False),
}


@pytest.mark.parametrize("spec", NAMES)
def test_a_name_tells_the_family(spec: str) -> None:
    found = describe(spec)
    assert (found.family, found.modality, found.embedded) == NAMES[spec]
    assert found.name == spec
    assert found.takes_label_words is (found.family in ("minilm-mlm", "hf-mlm", "hf-causal"))
    assert found.reads_after_mask is (found.family != "hf-causal")


def test_embedded_base_models_are_listed_in_order() -> None:
    assert [model.name for model in embedded_base_models()] == ["pouf-lite", "minilm", "minilm-mlm", "features"]


@pytest.mark.parametrize("spec", ["", "vit", "pouf-lite:x", "minilm:x", "open_clip:", "open_clip:ViT-B-32", "clip:/x"])
def test_an_unknown_name_is_refused_with_all_that_are_known(spec: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        describe(spec)
    assert (refused.value.code, refused.value.field) == ("unknown_base_model", "/base_model")
    assert refused.value.message == (
        f"Unknown base model {spec!r}: use pouf-lite, minilm, minilm-mlm, features, "
        "open_clip:<architecture>/<pretrained>, sentence:<path>, hf-align:<path>, hf-mlm:<path> or hf-causal:<path>."
    )


@pytest.mark.parametrize("spec", ["sentence:all-mpnet-base-v2", "hf-mlm:", "hf-causal: ", "hf-align:"])
def test_a_name_without_its_checkpoint_is_refused_with_what_should_follow(spec: str) -> None:
    with pytest.raises(InvalidInput, match="is followed by") as refused:
        describe(spec)
    assert (refused.value.code, refused.value.field) == ("unknown_base_model", "/base_model")


def test_describing_imports_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "open_clip", "timm", "torchvision"}
    script = (
        "import sys; from pouf_core.families.registry import FAMILIES, describe;"
        "import pouf_core.families.vocabulary, pouf_core.contract.presets;"
        f"describe('pouf-lite'); describe('hf-mlm:/x'); print({heavy} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_new_family_is_one_module_and_its_registration(
    monkeypatch: pytest.MonkeyPatch, tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    """Nothing but the registry is told of the family, and it is described, adapted and predicted with."""

    def load(description: BaseModelDescription, device: torch.device) -> ClipLikeModel:
        model = FAMILIES["open_clip"].load(describe(f"open_clip:{tiny_clip_directory}"), device)
        return ClipLikeModel(description, model.network, model.transform, model.tokenizer, device)

    toy = Family(
        name="toy",
        usage="toy:<anything>",
        modality="image",
        kind="image",
        default_prompt_templates=("a drawing of a {}.",),
        describe=lambda spec: f"A small random CLIP: {spec.partition(':')[2]}.",
        load=load,
    )
    monkeypatch.setitem(FAMILIES, toy.name, toy)
    found = describe("toy:one")
    assert (found.family, found.tune_modes) == ("toy", tune_modes_of("image"))
    with pytest.raises(InvalidInput, match="toy:<anything>"):
        describe("nothing")
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model="toy:one",
        method={"max_steps": 2, "selection": "last"},
        out=tmp_path / "adapted",
    )
    predictor = pouf_core.load(result.path)
    assert predictor.manifest.templates == ["a drawing of a {}."]
    assert [item.label in CLASS_NAMES for item in predictor.predict(picture_paths[:2])] == [True, True]


def test_the_table_of_tune_modes_has_a_row_for_every_name() -> None:
    assert tuple(TUNE_MODES) == get_args(Tune)
    for kind in get_args(ModelKind):
        for preset in ("paper", "default"):
            trained = {tune for tune in tune_modes_of(kind) if TUNE_MODES[tune].learner != "closed_form"}
            assert set(PRESETS[preset, kind]) == trained


def test_the_table_of_tune_modes_names_settings_of_a_method() -> None:
    assert MethodSpec.model_fields.keys() >= MODE_SETTINGS
