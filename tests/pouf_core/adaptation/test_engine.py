"""The engine that encodes in an adaptation: chosen by what there is to encode, recorded, and kept when it resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import pouf_core
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.contract.engine import EngineChoice
from pouf_core.engines.interface import EngineOffer
from pouf_core.errors import AdaptationStopped
from pouf_core.families.loading import BaseModelPool
from tests.pouf_core.conftest import CLASS_NAMES

STEPS, STOP = 4, 2
TRAINED = {"max_steps": STEPS, "batch_size": 8, "selection": "last"}


class Runs:
    """Adaptations of one base model, whose conversions share a directory."""

    def __init__(self, base: Path, directory: Path) -> None:
        self.base, self.directory = base, directory

    def adapt(
        self, data: object, name: str, engine: EngineChoice, *, stop: bool = False, **method: object
    ) -> pouf_core.AdaptationResult:
        done: list[int] = []
        return pouf_core.adapt(
            data,  # type: ignore[arg-type]
            CLASS_NAMES,
            base_model=f"open_clip:{self.base}",
            prompt_template="a photo of a {}.",  # of a random tower, means over templates nearly coincide
            method=method,
            threads=1,
            device="cpu",
            engine=engine,
            engine_dir=self.directory / "engines",
            out=self.directory / name / "model",
            checkpoint_dir=self.directory / name / "checkpoints",
            checkpoint_seconds=0,
            on_progress=lambda progress: done.append(progress.step) if progress.metrics else None,
            should_stop=lambda: "shutdown" if stop and STOP in done else None,
        )


@pytest.fixture
def runs(tiny_clip_directory: Path, tmp_path: Path) -> Runs:
    return Runs(tiny_clip_directory, tmp_path)


def engine_of(result: pouf_core.AdaptationResult) -> str:
    assert result.engine is not None
    assert load_artifact(result.path).manifest.engine == result.engine
    return result.engine.name


def noise(count: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(pixels) for pixels in random.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)]


@pytest.mark.parametrize(
    "tune", ["prompt", "head", *(pytest.param(tune, marks=pytest.mark.slow) for tune in ("model", "calibrate"))]
)
def test_both_engines_adapt_alike(runs: Runs, picture_paths: list[Path], tune: str) -> None:
    settings = TRAINED if tune != "calibrate" else {}
    results = {name: runs.adapt(picture_paths, name, name, tune=tune, **settings) for name in ("torch", "openvino")}
    assert {name: engine_of(result) for name, result in results.items()} == {"torch": "torch", "openvino": "openvino"}
    assert results["openvino"].engine.agreement >= 0.99999
    offers = {"torch": None, "openvino": EngineOffer(runs.directory / "engines")}
    answers = [
        pouf_core.load(result.path, base_models=BaseModelPool("cpu", offers[name])).predict(
            picture_paths, variant="adapted"
        )
        for name, result in results.items()
    ]
    for expected, found in zip(*answers, strict=True):
        assert found.label == expected.label
        assert found.score == pytest.approx(expected.score, abs=1e-3)


def test_few_pictures_are_left_to_pytorch_and_many_are_not(runs: Runs) -> None:
    few, many = (runs.adapt(noise(count), str(count), "auto", type="zero-shot") for count in (40, 60))
    assert (engine_of(few), engine_of(many)) == ("torch", "openvino")


def test_the_published_recipe_runs_in_pytorch(runs: Runs, picture_paths: list[Path]) -> None:
    result = runs.adapt(picture_paths, "paper", "openvino", tune="prompt", preset="paper", max_steps=1)
    assert engine_of(result) == "torch"


@pytest.mark.parametrize(("first", "then"), [("openvino", "torch"), ("torch", "openvino")])
def test_a_resumed_run_keeps_the_engine_and_ends_with_the_same_weights(
    runs: Runs, picture_paths: list[Path], first: EngineChoice, then: EngineChoice
) -> None:
    whole = runs.adapt(picture_paths, "whole", first, tune="prompt", **TRAINED)
    with pytest.raises(AdaptationStopped):
        runs.adapt(picture_paths, "stopped", first, tune="prompt", stop=True, **TRAINED)
    resumed = runs.adapt(picture_paths, "stopped", then, tune="prompt", **TRAINED)
    assert engine_of(resumed) == first
    expected, found = (load_file(result.path / WEIGHTS) for result in (whole, resumed))
    assert all(found[name].equal(tensor) for name, tensor in expected.items())


def test_checkpoints_from_before_there_were_engines_are_gone_on_from_in_pytorch(
    runs: Runs, picture_paths: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(AdaptationStopped):
        runs.adapt(picture_paths, "old", "torch", tune="prompt", stop=True, **TRAINED)
    (tmp_path / "old" / "checkpoints" / "engine").unlink()
    assert engine_of(runs.adapt(picture_paths, "old", "openvino", tune="prompt", **TRAINED)) == "torch"
