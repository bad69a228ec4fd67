"""A resumed run keeps what the interrupted one had settled: its numbers, and its warnings."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

import pouf_core
from pouf_core.contract.progress import Progress
from pouf_core.errors import AdaptationStopped
from tests.pouf_core.conftest import CLASS_NAMES

STEPS, STOP = 4, 2


class Run:
    """An adaptation over checkpoints, stopped once it has done STOP steps of its own or carried to its end."""

    def __init__(self, base: Path, pictures: list[Path], directory: Path, **method: object) -> None:
        self.base, self.pictures, self.directory = base, pictures, directory
        self.method = {"max_steps": STEPS, "batch_size": 8, "selection": "last", **method}
        self.trained: list[int] = []

    def adapt(self, *, stop: bool) -> pouf_core.AdaptationResult:
        self.trained.clear()
        return pouf_core.adapt(
            self.pictures,
            CLASS_NAMES,
            base_model=f"open_clip:{self.base}",
            method=self.method,
            threads=1,
            out=self.directory / "model",
            checkpoint_dir=self.directory / "checkpoints",
            on_progress=self._see,
            should_stop=lambda: "shutdown" if stop and STOP in self.trained else None,
        )

    def _see(self, progress: Progress) -> None:
        if progress.metrics:
            self.trained.append(progress.step)


def test_an_estimated_prior_is_not_estimated_again(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tiny_clip_directory, picture_paths, tmp_path)
    estimates = [torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.4, 0.4, 0.2])]
    monkeypatch.setattr("pouf_core.adaptation.resolving.estimate_prior", lambda _: estimates.pop(0))
    with pytest.raises(AdaptationStopped):
        run.adapt(stop=True)
    result = run.adapt(stop=False)
    assert run.trained == [3, 4]
    assert result.method["class_prior"] == pytest.approx([0.5, 0.3, 0.2])
    assert not estimates


def test_another_method_begins_anew(tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(AdaptationStopped):
        Run(tiny_clip_directory, picture_paths, tmp_path).adapt(stop=True)
    run = Run(tiny_clip_directory, picture_paths, tmp_path, transport_weight=0.5)
    run.adapt(stop=False)
    assert run.trained == [1, 2, 3, 4]


def test_warnings_of_before_are_kept(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tiny_clip_directory, picture_paths, tmp_path, transport="sinkhorn", sinkhorn_regularization=0.02)
    with monkeypatch.context() as hurried:
        hurried.setattr("pouf_core.transport.MAX_ITERATIONS", 1)
        with pytest.raises(AdaptationStopped):
            run.adapt(stop=True)
    result = run.adapt(stop=False)
    assert run.trained == [3, 4]
    assert [warning["code"] for warning in result.warnings].count("transport_not_converged") == 1


def test_training_goes_on_where_a_checkpoint_cannot_be_written_and_keeps_the_one_before(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tiny_clip_directory, picture_paths, tmp_path)
    with pytest.raises(AdaptationStopped):
        run.adapt(stop=True)
    before = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full_disk:
        full_disk.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            run.adapt(stop=False)  # the artifact, which nothing works without
    assert run.trained == [3, 4]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == before
    run.adapt(stop=False)
    assert run.trained == [3, 4]
