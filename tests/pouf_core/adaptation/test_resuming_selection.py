"""A stopped and resumed run goes on with the candidate that it had found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import pouf_core
from pouf_core.artifact import WEIGHTS
from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.progress import Progress
from pouf_core.errors import AdaptationStopped
from pouf_core.validation.measurements import Change
from pouf_core.validation.thresholds import Thresholds
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.threshold_overrides import CLEAR_DATA, TRUSTED_CHANGES, set_limits

STEPS = 8  # candidates 2, 4, 6 and 8


class StopAfter:
    """Asks for a stop once training has done a number of steps."""

    def __init__(self, step: int) -> None:
        self.limit, self.step = step, 0

    def on_progress(self, progress: Progress) -> None:
        if progress.stage == "training":
            self.step = progress.step

    def should_stop(self) -> str | None:
        return "shutdown" if self.step >= self.limit else None


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each candidate fails a check, in order of being asked; the data are clear."""
    answers: list[bool] = []

    def answer(change: Change, class_names: list[str], thresholds: Thresholds) -> list[Finding]:
        return [finding("many_flips", "Too many.")] if answers.pop(0) else []

    set_limits(monkeypatch, **CLEAR_DATA, **TRUSTED_CHANGES)
    monkeypatch.setattr("pouf_core.validation.selection.failed_change_checks", answer)
    return answers


@pytest.mark.parametrize(
    ("tune", "failures", "selected"),
    [
        ("prompt", [False, False, True, True], 4),
        ("prompt", [True, False, False, False], 8),
        ("prompt", [True, True, True, True], 0),
        ("model", [False, False, True, True], 4),
    ],
)
def test_the_candidate_found_before_a_stop_is_kept(
    tiny_clip_directory: Path,
    picture_paths: list[Path],
    tmp_path: Path,
    failing: list[bool],
    tune: str,
    failures: list[bool],
    selected: int,
) -> None:
    def adapt(name: str, checkpoints: Path | None = None, stop: StopAfter | None = None) -> pouf_core.AdaptationResult:
        return pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            method={"tune": tune, "max_steps": STEPS, "batch_size": 10, "selection": "label_free"},
            seed=5,
            threads=1,
            out=tmp_path / name,
            checkpoint_dir=checkpoints,
            on_progress=stop.on_progress if stop else None,
            should_stop=stop.should_stop if stop else None,
        )

    failing.extend(failures)
    whole = adapt("whole")
    assert not failing
    failing.extend(failures)
    for step in (3, 7):
        with pytest.raises(AdaptationStopped):
            adapt("never", tmp_path / "checkpoints", StopAfter(step))
    [newest] = sorted((tmp_path / "checkpoints").glob("*7.pt"))
    candidate = torch.load(newest, weights_only=True)["candidate"]
    assert (candidate or {"step": 0})["step"] == (6 if selected == 8 else selected)
    resumed = adapt("resumed", tmp_path / "checkpoints")
    assert not failing
    assert whole.selected_step == resumed.selected_step == selected
    assert (whole.path / WEIGHTS).read_bytes() == (resumed.path / WEIGHTS).read_bytes()
    assert whole.metrics == resumed.metrics
    assert len(resumed.metrics) == STEPS


@pytest.mark.usefixtures("failing")
def test_keeping_an_earlier_step_keeps_its_weights(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, failing: list[bool]
) -> None:
    def adapt(name: str, failures: list[bool]) -> bytes:
        failing.extend(failures)
        result = pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            method={"max_steps": STEPS, "selection": "label_free"},
            out=tmp_path / name,
        )
        return (result.path / WEIGHTS).read_bytes()

    second, last = adapt("second", [False, True, True, True]), adapt("last", [False] * 4)
    assert second != last
    assert second != adapt("fourth", [False, False, True, True])
