"""Preset `paper` by `adapt`, from files to trained weights, against `tests/reference`, in double precision.

`test_trajectory.py` compares the loop on fixed pixels; here the network has QuickGELU, as OpenAI's, the views are drawn
afresh at every step, and the items do not fill the last batch of an epoch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import pouf_core
from pouf_core.contract.activation import Activation
from pouf_core.data.items import collect_items
from pouf_core.errors import AdaptationStopped
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.loading import load_base_model
from pouf_core.system.runtime import derived_seed, generator
from tests.pouf_core.conftest import CLASS_NAMES, TINY_CLIP, draw_shape
from tests.reference.augmentation import reference_view
from tests.reference.recipe import Displacements, Recipe, largest_difference, tune_model, tune_prompt

STEPS, ITEMS, BATCH, SEED = 12, 20, 8, 5  # two batches an epoch, and four items left over
TOLERANCE = 1e-6
HEADS = (TINY_CLIP["vision_cfg"]["width"] // 64, TINY_CLIP["text_cfg"]["heads"])

Moved = Callable[[str], tuple[Displacements, dict[str, Any]]]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures larger than the tower's input, and not square."""
    paths = [tmp_path_factory.mktemp("pictures") / f"{index:02d}.png" for index in range(ITEMS)]
    for index, path in enumerate(paths):
        draw_shape(CLASS_NAMES[index % 3], index, size=120).crop((0, 0, 120, 90)).save(path)
    return paths


def double(directory: Path, activation: Activation) -> ClipLikeModel:
    """The small CLIP in float64, as pictures come in float32."""
    base: Any = load_base_model(f"open_clip:{directory}", activation=activation)
    base.network.double()
    base.network.visual.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    return base  # type: ignore[no-any-return]


def product(directory: Path, pictures: list[Path], tune: str, folder: Path) -> tuple[Displacements, dict[str, Any]]:
    """What `adapt` moves in the first steps of the recipe's 5,000, and the numbers that it resolved to."""
    base = double(directory, "quick_gelu")
    before: dict[str, Any] = dict(base.network.named_parameters())
    steps: list[Any] = []
    resolved: dict[str, Any] = {}

    def watch(progress: Any) -> None:
        steps.extend([progress.metrics] if progress.metrics else [])
        resolved.update({} if progress.method is None else dict(progress.method))

    with pytest.raises(AdaptationStopped):
        pouf_core.adapt(
            pictures,
            CLASS_NAMES,
            base_model=base,
            prompt_template="a photo of a {}.",
            method={"preset": "paper", "tune": tune, "batch_size": BATCH},
            seed=SEED,
            device="cpu",
            threads=1,
            on_progress=watch,
            should_stop=lambda: "enough" if len(steps) == STEPS else None,
            checkpoint_dir=folder,
        )
    checkpoint = torch.load(folder / f"step-{STEPS:08d}.pt", weights_only=True)
    words = base.tokenizer(["a photo of a"])[0, 1:5]
    before["context"] = base.network.token_embedding(words)
    tensors = {name.removeprefix("network."): value for name, value in checkpoint["tensors"].items()}
    return {name: value - before[name].detach() for name, value in tensors.items()}, resolved


@pytest.fixture(scope="module")
def moved(tiny_clip_directory: Path, pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """What `product` gives for a tune mode, computed once."""

    @functools.cache
    def run(tune: str) -> tuple[Displacements, dict[str, Any]]:
        return product(tiny_clip_directory, pictures, tune, tmp_path_factory.mktemp(tune))

    return run


def batches(base: ClipLikeModel, pictures: list[Path], *, drop_last: bool = True, fresh: bool = True) -> list[Tensor]:
    """Pixels [B, 3, H, W] of every step: epoch by epoch in a new order, and what does not fill a batch left out."""
    items, _ = collect_items(pictures)
    drawn: list[tuple[int, int]] = []
    for epoch in range(STEPS * BATCH // ITEMS + 2):
        order = torch.randperm(ITEMS, generator=generator(SEED, "order", epoch)).tolist()
        drawn += [(index, epoch) for index in order[: ITEMS - ITEMS % BATCH if drop_last else ITEMS]]
    views = [
        reference_view(
            items[index].image(),
            base.image_size,
            base.image_mean,
            base.image_std,
            derived_seed(SEED, "view", items[index].sha256, epoch + 1 if fresh else 1),
        )
        for index, epoch in drawn[: STEPS * BATCH]
    ]
    return list(torch.stack(views).double().split(BATCH))


def expected(
    directory: Path, pictures: list[Path], tune: str, recipe: Recipe | None = None, **sampling: bool
) -> Displacements:
    base = double(directory, "quick_gelu")
    tokens = base.tokenizer([f"a photo of a {name}." for name in CLASS_NAMES])
    saved = load_file(directory / "open_clip_model.safetensors")
    train = tune_prompt if tune == "prompt" else tune_model
    return train(saved, tokens, batches(base, pictures, **sampling), HEADS, recipe or Recipe(quick_gelu=True))


@pytest.mark.parametrize("tune", ["prompt", "model"])
def test_adapt_moves_every_parameter_as_the_reference_recipe_does(
    moved: Moved, tiny_clip_directory: Path, pictures: list[Path], tune: str
) -> None:
    found, method = moved(tune)
    assert "logit_scale" in found
    assert largest_difference(found, expected(tiny_clip_directory, pictures, tune)) < TOLERANCE
    names = ("optimizer", "momentum", "weight_decay", "schedule", "max_steps", "logit_scale_learning_rate")
    assert [method[name] for name in names] == ["sgd", 0.9, 1e-3, "inverse", 5000, 5e-7]
    assert method["learning_rate"] == (1e-3 if tune == "prompt" else 5e-7)
    names = ("augmentation", "views", "drop_last", "selection", "precision", "class_prior_source", "logit_scale_limit")
    assert [method[name] for name in names] == ["reference", 0, True, "last", "float32", "uniform", None]


LEFT_OUT: dict[str, tuple[Recipe, dict[str, bool]]] = {
    "QuickGELU": (Recipe(quick_gelu=False), {}),
    "weight decay": (Recipe(quick_gelu=True, weight_decay=0.0), {}),
    "Nesterov": (Recipe(quick_gelu=True, nesterov=False), {}),
    "schedule": (Recipe(quick_gelu=True, schedule=False), {}),
    "drop_last": (Recipe(quick_gelu=True), {"drop_last": False}),
    "fresh views": (Recipe(quick_gelu=True), {"fresh": False}),
}


@pytest.mark.slow
@pytest.mark.parametrize("tune", ["prompt", "model"])
@pytest.mark.parametrize("left_out", sorted(LEFT_OUT))
def test_the_comparison_sees_what_is_left_out(
    moved: Moved, tiny_clip_directory: Path, pictures: list[Path], tune: str, left_out: str
) -> None:
    recipe, sampling = LEFT_OUT[left_out]
    poorer = expected(tiny_clip_directory, pictures, tune, recipe, **sampling)
    assert largest_difference(moved(tune)[0], poorer) > 10 * TOLERANCE
