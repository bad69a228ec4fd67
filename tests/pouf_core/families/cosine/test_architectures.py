"""Architectures are accepted or refused from their configuration, with the same words when a job loads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pouf_core.contract.tune_modes import TUNE_MODES
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.cosine.architectures import examine, examine_network
from pouf_core.families.loading import load_base_model
from tests.pouf_core.architecture_cases import FAMILIES, save_family
from tests.pouf_core.conftest import TINY_CLIP


def configured(directory: Path, settings: dict[str, Any]) -> Path:
    directory.mkdir()
    (directory / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings, "preprocess_cfg": {}}))
    return directory


@pytest.mark.parametrize("name", ["vit", "resnet", "siglip", "coca", "mobileclip-s", "roberta", "mt5", "nllb-siglip"])
def test_families_are_adaptable_before_and_after_loading(tmp_path: Path, name: str) -> None:
    directory = save_family(FAMILIES[name], tmp_path / name)
    found = examine(f"local-dir:{directory}")
    assert found.reason is None
    assert found.tune_modes == tuple(TUNE_MODES)
    assert examine_network(load_base_model(f"open_clip:{directory}").network) == found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vision_cfg": {**TINY_CLIP["vision_cfg"], "image_size": [32, 64]}}, "32 x 64 pixels"),
        ({"vision_cfg": {**TINY_CLIP["vision_cfg"], "output_tokens": True}}, "its image tower gives features"),
        ({"text_cfg": {**TINY_CLIP["text_cfg"], "pool_type": "none"}}, "its text tower gives features"),
        ({"text_cfg": {**TINY_CLIP["text_cfg"], "proj_type": "none", "width": 64}}, "32 dimensions and its text"),
        ({"vision_cfg": {"timm_model_name": "no_such_tower", "image_size": 32}}, "cannot build it: RuntimeError"),
        ({"text_cfg": None}, "has no text_cfg"),
    ],
)
def test_what_cannot_be_adapted_is_refused_with_the_reason_before_weights_are_read(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    settings = {key: value for key, value in {**TINY_CLIP, **changes}.items() if value is not None}
    directory = configured(tmp_path / "model", settings)
    found = examine(f"local-dir:{directory}")
    assert found.reason is not None
    assert reason in found.reason
    with pytest.raises(InvalidInput) as caught:
        load_base_model(f"open_clip:{directory}")
    assert (caught.value.code, caught.value.field) == ("base_model_not_adaptable", "/base_model")
    assert found.reason in caught.value.message


def test_a_pooler_that_does_not_run_is_refused(tmp_path: Path) -> None:
    roberta = FAMILIES["roberta"]
    text = {**roberta.configuration["text_cfg"], "hf_pooler_type": "max_pooler"}
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower" / "config.json").write_text(json.dumps(roberta.hugging_face))
    settings = {**roberta.configuration, "text_cfg": {**text, "hf_model_name": str(tmp_path / "tower")}}
    found = examine(f"local-dir:{configured(tmp_path / 'model', settings)}")
    assert "max_pooler" in str(found.reason)


def test_a_missing_hugging_face_configuration_is_named_by_the_check_and_by_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    settings = {**FAMILIES["roberta"].configuration}
    settings["text_cfg"] = {**settings["text_cfg"], "hf_model_name": "nobody/no-such-tower"}
    directory = configured(tmp_path / "model", settings)
    found = examine(f"local-dir:{directory}")
    assert found.undecided
    with pytest.raises(PoufError) as caught:
        load_base_model(f"open_clip:{directory}")
    assert caught.value.code == "base_model_unavailable"
    assert str(found.reason) in caught.value.message
    assert "'nobody/no-such-tower'" in caught.value.message


def test_a_network_of_another_kind_is_refused() -> None:
    assert "Linear" in str(examine_network(torch.nn.Linear(2, 2)).reason)


def test_a_directory_without_weights_is_not_adapted_at_random(tmp_path: Path) -> None:
    with pytest.raises(PoufError) as caught:
        load_base_model(f"open_clip:{configured(tmp_path / 'model', TINY_CLIP)}")
    assert caught.value.code == "base_model_unavailable"
