"""Encoders may compute in bfloat16; the objective never does. Deterministic mode repeats itself bit by bit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core.adaptation import step as step_module
from pouf_core.adaptation.step import BatchGradient
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.system.runtime import deterministic_algorithms
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.training import learner_and_source, resolved, run_loop

DRAWS = [(index, 0) for index in range(8)]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """The types of S, P and L, each time the objective is computed."""
    types: list[torch.dtype] = []
    objective = step_module.pouf_objective

    def note(*matrices: Tensor, **settings: object) -> object:
        types.extend(matrix.dtype for matrix in matrices)
        return objective(*matrices, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(step_module, "pouf_objective", note)
    return types


def in_bfloat16(model: ClipLikeModel) -> list[torch.dtype]:
    """Let a model's encoders compute in bfloat16 on the CPU; gives the types that its first projection computes in."""
    model.precision = torch.bfloat16
    types: list[torch.dtype] = []
    model.network.visual.conv1.register_forward_hook(lambda *call: types.append(call[-1].dtype))
    return types


@pytest.mark.parametrize("tune", ["prompt", "head", "last_n", "norm", "model"])
def test_bfloat16_encoders_train_without_nan_on_a_float32_objective(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], seen: list[torch.dtype], tune: str
) -> None:
    encoded = in_bfloat16(tiny_clip)
    method = resolved(tune, max_steps=3, batch_size=8, logit_scale_learning_rate=1e-3)
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    loop = run_loop(learner, source, method)
    assert set(encoded) == {torch.bfloat16}
    assert set(seen) == {torch.float32}
    assert all(torch.isfinite(torch.tensor(list(numbers.values()))).all() for numbers in loop.metrics)
    for tensor in learner.tensors().values():
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()


def test_bfloat16_encoders_give_nearly_the_same_gradient(tiny_clip: ClipLikeModel, picture_paths: list[Path]) -> None:
    method = resolved("model", batch_size=8)
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    gradients = []
    for precision in (torch.float32, torch.bfloat16):
        tiny_clip.precision = precision
        tiny_clip.network.zero_grad()
        BatchGradient(learner, source, method, lambda: None)(DRAWS, None, 3)
        parameters = tiny_clip.network.parameters()
        gradients.append(torch.cat([item.grad.flatten() for item in parameters if item.grad is not None]))
    similarity = torch.nn.functional.cosine_similarity(*gradients, dim=0)
    assert similarity > 0.98


def test_a_callers_autocast_does_not_reach_the_objective(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], seen: list[torch.dtype]
) -> None:
    method = resolved("prompt", batch_size=8)
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        BatchGradient(learner, source, method, lambda: None)(DRAWS, None, 8)
    assert set(seen) == {torch.float32}


def test_a_cpu_computes_in_float32(tiny_clip: ClipLikeModel) -> None:
    assert tiny_clip.precision == torch.float32
    assert tiny_clip.with_network(tiny_clip.network).precision == torch.float32
    assert tiny_clip.encode_images(torch.zeros(1, 3, 32, 32)).dtype == torch.float32


def test_deterministic_runs_are_equal_bit_by_bit_and_leave_no_settings_behind(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    modes: list[bool] = []
    for name, deterministic in (("default", None), ("on", True), ("on again", True), ("off", False)):
        pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            method={"tune": "model", "max_steps": 2, "batch_size": 8},
            device="cpu",
            deterministic=deterministic,
            out=tmp_path / name,
            on_progress=lambda _: modes.append(torch.are_deterministic_algorithms_enabled()),
        )
        assert set(modes) == {deterministic is not False}
        modes.clear()
        assert not torch.are_deterministic_algorithms_enabled()
    weights = [(tmp_path / name / WEIGHTS).read_bytes() for name in ("default", "on", "on again")]
    assert weights[0] == weights[1] == weights[2]


def test_deterministic_mode_prepares_cublas_and_forbids_what_is_not_deterministic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic_algorithms(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    with pytest.raises(ValueError, match="inside"), deterministic_algorithms(True):
        raise ValueError("inside")
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("method", "computed"),
    [
        ({"preset": "paper"}, "float32"),
        ({"preset": "paper", "precision": "bfloat16"}, "bfloat16"),
        ({"precision": "float32"}, "float32"),
        ({}, "bfloat16"),
    ],
)
def test_a_method_says_what_encoders_compute_in_and_paper_says_float32(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tmp_path: Path, method: dict[str, str], computed: str
) -> None:
    encoded = in_bfloat16(tiny_clip)  # as on a GPU, where nothing else is said
    settings = {"tune": "model", "max_steps": 1, "batch_size": 8, "selection": "last", **method}
    result = pouf_core.adapt(
        picture_paths, CLASS_NAMES, base_model=tiny_clip, method=settings, device="cpu", out=tmp_path / "model"
    )
    assert {str(dtype) for dtype in encoded} == {f"torch.{computed}"}
    assert tiny_clip.precision == torch.bfloat16
    if method:
        assert result.method.precision == computed
        encoded.clear()
        pouf_core.Predictor(load_artifact(result.path), tiny_clip).predict(picture_paths[:1], variant="zero_shot")
        assert {str(dtype) for dtype in encoded} == {f"torch.{computed}"}


def test_models_that_share_a_network_in_two_precisions_never_share_a_batch(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tmp_path: Path
) -> None:
    keys = set()
    for precision in ("float32", "bfloat16"):
        method = {"precision": precision, "max_steps": 0}
        out = tmp_path / precision
        result = pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=tiny_clip, method=method, device="cpu", out=out)
        keys.add(pouf_core.Predictor(load_artifact(result.path), tiny_clip).encoder().key)
    assert len(keys) == 2
