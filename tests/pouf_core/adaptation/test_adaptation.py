"""Adaptation as a whole and in its parts: exact gradients, exact resuming, nothing from labels."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core.adaptation.checkpoint import read_newest_checkpoint
from pouf_core.adaptation.features import CachedFeatures, ComputedFeatures, Draw
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.contract.manifest import MANIFEST
from pouf_core.contract.progress import Progress
from pouf_core.errors import AdaptationStopped, OutOfMemory
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.loading import load_base_model
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.training import learner_and_source, resolved, run_loop


def base_spec(directory: Path) -> str:
    return f"open_clip:{directory}"


def weights(directory: Path) -> bytes:
    return (directory / WEIGHTS).read_bytes()


@pytest.mark.parametrize("tune", ["prompt", "head", "last_n", "norm", "model"])
def test_one_step_changes_exactly_what_the_mode_trains(
    tiny_clip: ClipLikeModel, picture_paths: list[Path], tune: str
) -> None:
    method = resolved(tune, max_steps=1, batch_size=8)
    before = {name: tensor.clone() for name, tensor in tiny_clip.network.state_dict().items()}
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    context = learner.tensors().get("context")
    run_loop(learner, source, method)
    changed = {name for name, tensor in tiny_clip.network.state_dict().items() if not torch.equal(tensor, before[name])}
    if tune == "prompt":
        assert changed == set()
        assert not torch.equal(learner.tensors()["context"], context)
    else:
        expected = {name.removeprefix("network.") for name in learner.tensors()}
        unused = {"token_embedding.weight", "positional_embedding"}  # rows that occur in no prompt stay
        assert changed - unused == expected - unused
        assert "logit_scale" not in changed


class _TightMemory:
    """Image features on a device that holds only so many items at once."""

    def __init__(self, source: ComputedFeatures, room: int) -> None:
        self.source, self.room = source, room

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        self.source.expect(draws, following)

    def features(self, draws: Sequence[Draw]) -> Tensor:
        if len(draws) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.source.features(draws)


def test_lack_of_memory_halves_the_micro_batch_and_keeps_the_result(
    tiny_clip_directory: Path, picture_paths: list[Path]
) -> None:
    method = resolved("head", max_steps=2, batch_size=24)
    results, warnings = [], []

    def note(progress: Progress) -> None:
        if progress.warning:
            warnings.append(progress.warning["code"])

    for room in (24, 7):
        model = load_base_model(base_spec(tiny_clip_directory))
        learner, source = learner_and_source(model, picture_paths, method)
        run_loop(learner, _TightMemory(source, room), method, on_progress=note)
        results.append(learner.tensors()["network.visual.proj"])
    assert warnings == ["micro_batch_reduced", "micro_batch_reduced"]
    assert torch.allclose(results[0], results[1], atol=1e-5)


def test_lack_of_memory_for_single_items_is_an_error_with_a_code(
    tiny_clip: ClipLikeModel, picture_paths: list[Path]
) -> None:
    method = resolved("head", max_steps=1, batch_size=4)
    learner, source = learner_and_source(tiny_clip, picture_paths, method)
    with pytest.raises(OutOfMemory) as caught:
        run_loop(learner, _TightMemory(source, 0), method)
    assert caught.value.code == "out_of_memory"


@pytest.mark.parametrize("tune", ["prompt", "prototypes", "model"])
def test_a_stopped_and_resumed_run_ends_bitwise_like_an_uninterrupted_one(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path, tune: str
) -> None:
    options = {
        "base_model": base_spec(tiny_clip_directory),
        "method": {"tune": tune, "max_steps": 7, "batch_size": 10, "class_prior": "auto", "selection": "last"},
        "seed": 5,
        "threads": 1,
    }
    whole = pouf_core.adapt(picture_paths, CLASS_NAMES, out=tmp_path / "whole", **options)
    for stop in (_StopAfter(2), _StopAfter(5)):
        with pytest.raises(AdaptationStopped) as caught:
            pouf_core.adapt(
                picture_paths,
                CLASS_NAMES,
                out=tmp_path / "never",
                checkpoint_dir=tmp_path / "checkpoints",
                on_progress=stop.on_progress,
                should_stop=stop.should_stop,
                **options,
            )
        assert caught.value.code == "shutdown"
    resumed = pouf_core.adapt(
        picture_paths, CLASS_NAMES, out=tmp_path / "resumed", checkpoint_dir=tmp_path / "checkpoints", **options
    )
    assert weights(whole.path) == weights(resumed.path)
    assert whole.metrics == resumed.metrics
    assert not (tmp_path / "never").exists()


class _StopAfter:
    """Asks for a stop once training has done a number of steps."""

    def __init__(self, step: int) -> None:
        self.limit, self.step = step, 0

    def on_progress(self, progress: Progress) -> None:
        if progress.stage == "training":
            self.step = progress.step

    def should_stop(self) -> str | None:
        return "shutdown" if self.step >= self.limit else None


def test_same_seed_same_weights_and_other_seed_other_weights(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    def run(name: str, seed: int) -> bytes:
        result = pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=base_spec(tiny_clip_directory),
            method={"tune": "model", "max_steps": 3, "batch_size": 8, "selection": "last"},
            seed=seed,
            out=tmp_path / name,
        )
        return weights(result.path)

    first = run("first", 1)
    assert first == run("again", 1)
    assert first != run("other", 2)


def test_order_names_and_labels_of_the_data_leave_no_trace(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    def run(name: str, paths: Sequence[Path], labels: dict[str, str]) -> pouf_core.AdaptationResult:
        return pouf_core.adapt(
            paths,
            CLASS_NAMES,
            base_model=base_spec(tiny_clip_directory),
            method={"tune": "model", "max_steps": 3, "batch_size": 8, "selection": "last"},
            out=tmp_path / name,
            evaluation_labels=labels,
        )

    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in picture_paths]
    truth = {digest: CLASS_NAMES[index % 3] for index, digest in enumerate(hashes)}
    permuted = {digest: CLASS_NAMES[(index + 1) % 3] for index, digest in enumerate(hashes)}
    renamed = []
    for index, path in enumerate(reversed(picture_paths)):
        copy = tmp_path / CLASS_NAMES[index % 3] / f"{index}.png"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
        renamed.append(copy)
    first = run("first", picture_paths, truth)
    second = run("second", renamed, permuted)
    assert weights(first.path) == weights(second.path)
    assert first.evaluation is not None
    assert second.evaluation is not None
    assert first.evaluation["n"] == second.evaluation["n"] == 24


def test_fewer_items_than_a_batch_and_fewer_than_classes_work(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    for preset in ("default", "paper"):
        result = pouf_core.adapt(
            picture_paths[:2],
            [*CLASS_NAMES, "dot"],
            base_model=base_spec(tiny_clip_directory),
            method={"preset": preset, "max_steps": 2, "selection": "last"},
            out=tmp_path / preset,
        )
        assert len(result.metrics) == 2
        assert all(torch.isfinite(torch.tensor(list(step.values()))).all() for step in result.metrics)


def test_cached_features_go_through_the_views() -> None:
    views = torch.arange(12.0).view(2, 3, 2)
    source = CachedFeatures(views, plain=-views[0])
    assert torch.equal(source.features([(0, 0), (1, 0)]), torch.stack([views[0, 0], views[1, 1]]))
    assert torch.equal(source.features([(0, 1)]), views[1, :1])
    assert torch.equal(source.plain([2]), -views[0, 2:])


def test_damaged_and_foreign_checkpoints_are_passed_over(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    checkpoints = tmp_path / "checkpoints"
    pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=base_spec(tiny_clip_directory),
        method={"max_steps": 3, "selection": "last"},
        out=tmp_path / "model",
        checkpoint_dir=checkpoints,
        checkpoint_seconds=0,
    )
    newest = sorted(checkpoints.glob("step-*.pt"))
    assert [path.name for path in newest] == ["step-00000002.pt", "step-00000003.pt"]
    identity = torch.load(newest[-1], weights_only=True)["identity"]
    assert read_newest_checkpoint(checkpoints, "another") is None
    newest[-1].write_bytes(newest[-1].read_bytes()[:1000])
    checkpoint = read_newest_checkpoint(checkpoints, identity)
    assert checkpoint is not None
    assert checkpoint.step == 2


def test_progress_names_every_stage_and_the_resolved_method(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    seen: list[Progress] = []
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=base_spec(tiny_clip_directory),
        method={"tune": "head", "max_steps": 2, "selection": "last"},
        out=tmp_path / "model",
        on_progress=seen.append,
        evaluation_labels={hashlib.sha256(picture_paths[0].read_bytes()).hexdigest(): "circle"},
    )
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["loading_base", "encoding", "encoding_views", "training", "evaluating", "exporting"]
    for stage in stages:
        done = [progress.step for progress in seen if progress.stage == stage and progress.metrics is None]
        assert done == sorted(done), "what a stage has done never falls"
    assert list(result.timings) == stages
    assert result.modality == "image"
    assert 0 < sum(result.timings.values()) <= result.seconds
    assert [progress.method["max_steps"] for progress in seen if progress.method] == [2]
    assert [progress.metrics["step"] for progress in seen if progress.metrics] == [1, 2]


def test_manifest_records_what_the_model_is(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    result = pouf_core.adapt(
        picture_paths,
        ["circle", {"name": "sq", "prompt": "square"}],
        base_model=base_spec(tiny_clip_directory),
        method={"max_steps": 1},
        seed=9,
        out=tmp_path / "model",
    )
    manifest = load_artifact(result.path).manifest
    assert [(item.name, item.prompt) for item in manifest.classes] == [("circle", None), ("sq", "square")]
    assert manifest.request.seed == 9
    assert manifest.method == result.method
    assert manifest.dataset.item_count == 24
    assert len(manifest.base_model.sha256) == 64


def test_the_manifest_file_has_parts_of_the_request_at_its_top(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    base = base_spec(tiny_clip_directory)
    out = tmp_path / "model"
    pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=base, method={"max_steps": 1}, seed=9, out=out)
    written = json.loads((out / MANIFEST).read_text())
    assert written["class_names"] == [{"name": name, "prompt": None} for name in CLASS_NAMES]
    assert (written["prompt_templates"], written["seed"], written["format"]) == (["a photo of a {}."], 9, 1)
    assert written["request"]["base_model"] == written["base_model"]["name"] == base
    assert written["method"]["max_steps"] == 1
