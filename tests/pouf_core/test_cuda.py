"""What only a GPU shows: that nothing waits for it, and that it gives what a CPU gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import pouf_core
from pouf_core.adaptation.feeding import encoded_parts
from pouf_core.adaptation.optimisation import build_optimizer
from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.method import MethodSpec
from pouf_core.data.items import collect_items
from pouf_core.errors import AdaptationStopped, OutOfMemory
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.loading import load_base_model
from pouf_core.system.memory import is_out_of_memory, text_memory
from tests.pouf_core.conftest import CLASS_NAMES, draw_shape
from tests.pouf_core.training import learner_and_source, resolved

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")]

GPU = torch.device("cuda")
COUNT = 24
BOUND = 2e-3  # of cosines: float32 on two devices


@pytest.fixture
def on_gpu(tiny_clip_directory: Path) -> ClipLikeModel:
    return load_base_model(f"open_clip:{tiny_clip_directory}", GPU)


@pytest.fixture(scope="module")
def embeddings() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    classes = torch.randn(3, 16, generator=generator)
    return classes.repeat_interleave(60, 0) + 0.5 * torch.randn(180, 16, generator=generator), classes


def each(model: ClipLikeModel) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    return lambda views: [model.encode_items(views)]


@pytest.mark.parametrize("tune", ["head", "norm", "last_n", "model"])
@pytest.mark.parametrize("micro_batch", [COUNT, 8])
def test_a_step_does_not_wait_for_the_gpu(
    on_gpu: ClipLikeModel, picture_paths: list[Path], tune: str, micro_batch: int
) -> None:
    method = resolved(tune, batch_size=COUNT)
    learner, source = learner_and_source(on_gpu, picture_paths, method)
    optimizer = build_optimizer(method, learner.parameter_groups())
    gradient = BatchGradient(learner, source, method, lambda: None)
    draws = [(index, 0) for index in range(COUNT)]
    for mode in ("default", "error"):  # the first step allocates and loads kernels
        torch.cuda.set_sync_debug_mode(mode)
        try:
            gradient(draws, None, micro_batch)
            optimizer.step()
            learner.after_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_the_optimiser_is_fused(on_gpu: ClipLikeModel, picture_paths: list[Path]) -> None:
    for preset in ("default", "paper"):
        method = resolved("head", batch_size=COUNT, preset=preset)
        learner, _ = learner_and_source(on_gpu, picture_paths, method)
        assert all(group["fused"] for group in build_optimizer(method, learner.parameter_groups()).param_groups)


@pytest.mark.parametrize("kind", ["none", "flip", "mild", "reference"])
def test_views_and_features_are_those_of_a_cpu(on_gpu: ClipLikeModel, tiny_clip: ClipLikeModel, kind: str) -> None:
    items, _ = collect_items([draw_shape("circle", index) for index in range(COUNT)])
    on_gpu.precision = torch.float32
    rows = []
    for model in (tiny_clip, on_gpu):
        views = model.views(kind, 0)
        with torch.no_grad():
            parts = list(encoded_parts(each(model), items, np.arange(COUNT), views, 1, model.device))
        rows.append(torch.cat([features for _, (features,) in parts]))
    assert (rows[0] * rows[1]).sum(dim=1).min() > 1 - BOUND


def test_a_convolutional_tower_lies_channels_last() -> None:
    model = load_base_model("pouf-lite", GPU)
    pixels = torch.zeros(2, 224, 224, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    assert model._inputs(pixels).is_contiguous(memory_format=torch.channels_last)
    weights = [item.weight for item in model.network.visual.modules() if isinstance(item, torch.nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_running_out_of_memory_is_recognised(on_gpu: ClipLikeModel) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8, device=GPU)
    assert is_out_of_memory(caught.value)
    items, _ = collect_items([draw_shape("line", 0)])

    def encode(views: object) -> list[Tensor]:
        return [torch.empty(2**50, dtype=torch.uint8, device=GPU)]

    with pytest.raises(OutOfMemory):
        list(encoded_parts(encode, items, np.arange(1), on_gpu.views("none", 0), 0, GPU))


def test_prompts_may_take_more_of_a_larger_gpu() -> None:
    free, _ = torch.cuda.mem_get_info(GPU)
    assert text_memory(GPU) >= min(2**30, free // 8)


@pytest.mark.parametrize("tune", ["auto", "calibrate", "gaussian", "propagate", "prototypes"])
def test_embeddings_get_the_classes_that_they_get_on_a_cpu(
    embeddings: tuple[Tensor, Tensor], tune: str, tmp_path: Path
) -> None:
    features, classes = embeddings
    found = []
    for device in ("cpu", "cuda"):
        result = pouf_core.adapt(
            np.asarray(features),
            CLASS_NAMES,
            base_model="features",
            class_features=np.asarray(classes),
            logit_scale=20.0,
            method=MethodSpec.model_validate({"tune": tune}),
            device=device,
            out=tmp_path / device,
        )
        predictor = pouf_core.load(result.path)
        found.append([item.label for item in predictor.classify(np.asarray(features), variant="adapted")])
    differing = sum(one != other for one, other in zip(*found, strict=True))
    assert differing <= len(features) // 100


def test_an_interrupted_run_ends_as_one_that_was_not(
    tiny_clip_directory: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    def run(name: str, stop_after: int | None) -> pouf_core.AdaptationResult:
        done: list[int] = []
        return pouf_core.adapt(
            picture_paths,
            CLASS_NAMES,
            base_model=f"open_clip:{tiny_clip_directory}",
            method={"tune": "model", "max_steps": 6, "batch_size": 8, "selection": "last", "precision": "float32"},
            device="cuda",
            out=tmp_path / name / "model",
            checkpoint_dir=tmp_path / name / "checkpoints",
            on_progress=lambda progress: done.append(progress.step) if progress.metrics else None,
            should_stop=lambda: "shutdown" if stop_after in done else None,
        )

    whole = run("whole", None)
    with pytest.raises(AdaptationStopped):
        run("stopped", 3)
    resumed = run("stopped", None)
    assert [row["step"] for row in resumed.metrics] == [row["step"] for row in whole.metrics] == [1, 2, 3, 4, 5, 6]
    losses = [[row["loss"] for row in result.metrics] for result in (whole, resumed)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
