"""Twenty steps of `preset: "paper"` against the reference recipe under `tests/reference`, in double precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pouf_core.adaptation.features import Draw
from pouf_core.adaptation.loop import CheckpointPolicy, TrainingLoop
from pouf_core.adaptation.resolving import resolve
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.method import MethodSpec
from pouf_core.data.images import decode_image
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.loading import load_base_model
from tests.pouf_core.conftest import CLASS_NAMES, TINY_CLIP
from tests.reference.recipe import Displacements, Recipe, largest_difference, tune_model, tune_prompt

STEPS, ITEMS, BATCH = 20, 24, 8
TEMPLATE = "a photo of a {}."
HEADS = (TINY_CLIP["vision_cfg"]["width"] // 64, TINY_CLIP["text_cfg"]["heads"])
TOLERANCE = 1e-6


class FixedPixels:
    """Features of the same pictures at every draw."""

    def __init__(self, base: ClipLikeModel, pixels: Tensor) -> None:
        self._base, self._pixels = base, pixels

    def expect(self, draws: list[Draw], following: list[Draw]) -> None:
        pass

    def features(self, draws: list[Draw]) -> Tensor:
        return self._base.encode_images(self._pixels[[index for index, _ in draws]])


@pytest.fixture(scope="module")
def pixels(tiny_clip_directory: Path, picture_paths: list[Path]) -> Tensor:
    transform = load_base_model(f"open_clip:{tiny_clip_directory}").transform
    return torch.stack([transform(decode_image(path.read_bytes())) for path in picture_paths]).double()


def product(base: ClipLikeModel, pixels: Tensor, tune: str, micro_batch_size: int) -> Displacements:
    """What the product's own loop moves, by the name of the parameter in the saved weights."""
    base.network.double()
    spec = MethodSpec.model_validate({"preset": "paper", "tune": tune, "max_steps": STEPS, "batch_size": BATCH})
    method = resolve(
        spec,
        torch.full((len(CLASS_NAMES),), 1 / len(CLASS_NAMES)),
        item_count=ITEMS,
        kind="image",
        context_scale=1.0,
        device=torch.device("cpu"),
        threads=1,
        micro_batch_size=micro_batch_size,
    )
    prompts = build_prompts(parse_class_names(CLASS_NAMES), [TEMPLATE], base.tokenizer)
    learner = Learner(base, prompts, method)
    before = learner.tensors()
    TrainingLoop(
        learner,
        FixedPixels(base, pixels),
        BatchSampler(ITEMS, method.batch_size, method.drop_last, seed=0),
        method,
        checkpoints=CheckpointPolicy(None, 1e9, "identity"),
        on_progress=lambda _: None,
        should_stop=lambda: None,
    ).run()
    return {name.removeprefix("network."): value - before[name] for name, value in learner.tensors().items()}


@pytest.fixture(scope="module")
def moved(tiny_clip_directory: Path, pixels: Tensor) -> Callable[[str, int], Displacements]:
    """What `product` gives for a tune mode and a micro-batch size, computed once."""

    @functools.cache
    def run(tune: str, micro_batch_size: int) -> Displacements:
        return product(load_base_model(f"open_clip:{tiny_clip_directory}"), pixels, tune, micro_batch_size)

    return run


def reference(directory: Path, base: ClipLikeModel, pixels: Tensor, tune: str, recipe: Recipe) -> Displacements:
    saved = load_file(directory / "open_clip_model.safetensors")
    tokens = base.tokenizer([TEMPLATE.replace("{}", name) for name in CLASS_NAMES])
    sampler = BatchSampler(ITEMS, BATCH, drop_last=True, seed=0)
    batches = [pixels[[index for index, _ in sampler.batch(step)]] for step in range(STEPS)]
    train = tune_prompt if tune == "prompt" else tune_model
    return train(saved, tokens, batches, HEADS, recipe)


@pytest.mark.parametrize("tune", ["prompt", "model"])
def test_twenty_steps_move_every_parameter_as_the_reference_recipe_does(
    moved: Callable[[str, int], Displacements],
    tiny_clip: ClipLikeModel,
    tiny_clip_directory: Path,
    pixels: Tensor,
    tune: str,
) -> None:
    expected = reference(tiny_clip_directory, tiny_clip, pixels, tune, Recipe())
    found = moved(tune, BATCH)
    assert "logit_scale" in found
    assert largest_difference(found, expected) < TOLERANCE


def test_micro_batches_leave_the_trajectory_as_it_is(moved: Callable[[str, int], Displacements]) -> None:
    assert largest_difference(moved("model", 3), moved("model", BATCH)) < TOLERANCE


LEFT_OUT: dict[str, dict[str, Any]] = {
    "weight decay": {"weight_decay": 0.0},
    "Nesterov": {"nesterov": False},
    "schedule": {"schedule": False},
}


@pytest.mark.slow
@pytest.mark.parametrize("tune", ["prompt", "model"])
@pytest.mark.parametrize("left_out", sorted(LEFT_OUT))
def test_the_comparison_sees_what_a_recipe_leaves_out(
    moved: Callable[[str, int], Displacements],
    tiny_clip: ClipLikeModel,
    tiny_clip_directory: Path,
    pixels: Tensor,
    tune: str,
    left_out: str,
) -> None:
    poorer = reference(tiny_clip_directory, tiny_clip, pixels, tune, Recipe(**LEFT_OUT[left_out]))
    assert largest_difference(moved(tune, BATCH), poorer) > TOLERANCE
