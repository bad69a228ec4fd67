"""Adapting a model that is loaded already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import pouf_core
from pouf_core.artifact import WEIGHTS
from pouf_core.families.cosine.clip_like import ClipLikeModel
from tests.pouf_core.conftest import CLASS_NAMES

TRAINED = {"selection": "last", "max_steps": 3, "batch_size": 12}
PAPER = {"preset": "paper", "max_steps": 3, "batch_size": 12, "logit_scale_learning_rate": 0.1}


def adapt(paths: list[Path], base_model: str | ClipLikeModel, out: Path, method: dict[str, Any]) -> bytes:
    result = pouf_core.adapt(paths, CLASS_NAMES, base_model=base_model, method=method, out=out)
    return (result.path / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    "method", [TRAINED, PAPER, TRAINED | {"tune": "model"}, {"type": "zero-shot"}, {"type": "prior-matching"}]
)
def test_it_gives_what_its_name_gives(
    tiny_clip: ClipLikeModel,
    tiny_clip_directory: Path,
    picture_paths: list[Path],
    tmp_path: Path,
    method: dict[str, Any],
) -> None:
    by_name = adapt(picture_paths, f"open_clip:{tiny_clip_directory}", tmp_path / "name", method)
    assert adapt(picture_paths, tiny_clip, tmp_path / "loaded", method) == by_name


@pytest.mark.parametrize("method", [TRAINED, PAPER, {"type": "zero-shot"}, {"type": "prior-matching"}])
def test_prompt_tuning_and_baselines_leave_it_as_it_was(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tmp_path: Path, method: dict[str, Any]
) -> None:
    before = {name: tensor.clone() for name, tensor in tiny_clip.network.state_dict().items()}
    first = adapt(picture_paths, tiny_clip, tmp_path / "first", method)
    after = tiny_clip.network.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert adapt(picture_paths, tiny_clip, tmp_path / "again", method) == first


def test_the_model_predicts_with_the_loaded_base(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tmp_path: Path
) -> None:
    result = pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=tiny_clip, method=TRAINED, out=tmp_path / "model")
    predictions = pouf_core.load(result.path).predict(picture_paths[:4])
    assert {prediction.label for prediction in predictions} <= set(CLASS_NAMES)
