"""Where the data or every step of training fail a check, the base model is kept as it is, to the bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

import pouf_core
from pouf_core.artifact import TRAINED, load_artifact
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.threshold_overrides import CLEAR_DATA, set_limits

SETTINGS = [
    {"tune": "prompt"},
    {"tune": "prompt", "context_init": "random"},
    {"tune": "prompt", "context": "per_class"},
    {"tune": "head"},
    {"tune": "model"},
    {"tune": "model", "logit_scale_learning_rate": 0.1},
]


@pytest.fixture
def failing_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any data has clear structure, and any change fails a check."""
    set_limits(monkeypatch, **CLEAR_DATA, many_flips=-1.0)


@pytest.fixture
def weak_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data has clear structure."""
    set_limits(monkeypatch, weak_structure=1e9)


def adapt(directory: Path, paths: list[Path], out: Path, **method: object) -> pouf_core.AdaptationResult:
    settings = {"max_steps": 4, "batch_size": 12, "learning_rate": 0.05, "selection": "label_free", **method}
    return pouf_core.adapt(paths, CLASS_NAMES, base_model=f"open_clip:{directory}", method=settings, out=out)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.usefixtures("failing_steps")
def test_where_every_step_fails_a_check_the_adapted_variant_is_zero_shot(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, settings: dict[str, object]
) -> None:
    result = adapt(tiny_clip_directory, picture_paths, tmp_path / "model", **settings)
    assert result.selected_step == 0
    assert (result.verdict, result.fallback) == ("uncertain", None)
    assert [reason["code"] for reason in result.verdict_reasons] == ["no_step_trusted"]
    assert [step["step"] for step in result.metrics] == [1, 2, 3, 4]
    artifact = load_artifact(result.path)
    assert torch.equal(artifact.tensors["prototypes.adapted"], artifact.tensors["prototypes.zero_shot"])
    assert torch.equal(artifact.tensors["logit_scale.adapted"], artifact.tensors["logit_scale.zero_shot"])
    assert not [name for name in artifact.tensors if name.startswith(TRAINED)]
    assert artifact.metrics == result.metrics
    assert artifact.manifest["selected_step"] == 0
    assert artifact.manifest["judged_by"]["flip_rate"] == 0
    predictor = pouf_core.load(result.path)
    assert predictor.predict(picture_paths, 3) == predictor.predict(picture_paths, 3, variant="zero_shot")


@pytest.mark.usefixtures("weak_structure")
def test_data_without_structure_are_not_trained_on(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    stages: list[str] = []
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"tune": "prompt", "selection": "label_free"},
        out=tmp_path / "model",
        on_progress=lambda progress: stages.append(progress.stage),
    )
    assert "training" not in stages
    assert (result.selected_step, result.metrics, result.verdict, result.fallback) == (0, [], "uncertain", None)
    (reason,) = result.verdict_reasons
    assert reason["code"] == "weak_structure"
    assert '"selection": "last"' in reason["message"]
    tensors = load_artifact(result.path).tensors
    assert torch.equal(tensors["prototypes.adapted"], tensors["prototypes.zero_shot"])


@pytest.mark.usefixtures("weak_structure")
def test_training_would_have_changed_it(tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path) -> None:
    result = adapt(tiny_clip_directory, picture_paths, tmp_path / "model", selection="last")
    artifact = load_artifact(result.path)
    assert not torch.equal(artifact.tensors["prototypes.adapted"], artifact.tensors["prototypes.zero_shot"])


@pytest.mark.usefixtures("failing_steps")
def test_both_variants_are_evaluated_alike(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    labels = {hashlib.sha256(path.read_bytes()).hexdigest(): CLASS_NAMES[0] for path in picture_paths}
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"tune": "model", "max_steps": 2, "learning_rate": 0.05},
        out=tmp_path / "model",
        evaluation_labels=labels,
    )
    assert result.evaluation is not None
    assert result.evaluation["adapted_accuracy"] == result.evaluation["zero_shot_accuracy"]


@pytest.mark.parametrize("steps", [0, 4])
def test_no_steps_keep_zero_shot_even_without_selection(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, steps: int
) -> None:
    result = adapt(tiny_clip_directory, picture_paths, tmp_path / "model", max_steps=steps, selection="last")
    assert result.selected_step == steps
    assert len(result.metrics) == steps
