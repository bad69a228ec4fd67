"""Pictures and steps a second, beside what the device could do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from recipe import Recipe
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gpu_checks.setting import Setting
from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.feeding import encoded_parts
from pouf_core.adaptation.optimisation import build_optimizer
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.method import ResolvedMethod
from pouf_core.data.items import Item, collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner
from pouf_core.system.runtime import encode_batch, view_workers

CLAIMS = {
    "idle_share": (0.10, "at most"),
    "times_the_reference": (5.0, "at least"),
    "share_of_peak": (0.35, "at least"),
}
"""What is claimed of a GPU."""
WARM_UP = 3
RECIPE_WORKERS = 8


def encoding(setting: Setting) -> dict[str, Any]:
    """Encoding files of pictures, beside encoding as many that are on the device already."""
    model = setting.model()
    items, _ = collect_items(setting.pictures)
    batch = encode_batch(setting.device)

    @torch.no_grad()
    def encode() -> None:
        order = np.arange(len(items))
        for _ in encoded_parts(each, items, order, model.views("none", 0), 0, setting.device):
            pass

    def each(views: Sequence[Tensor]) -> list[Tensor]:
        return [model.encode_items(views)]

    size = model.image_size
    pixels = torch.zeros(batch, 3, size, size, dtype=torch.uint8, device=setting.device)
    rest = len(items) % batch

    @torch.no_grad()
    def resident() -> None:
        for _ in range(len(items) // batch):
            model.encode_images(pixels)
        if rest:
            model.encode_images(pixels[:rest])

    resident()
    alone = seconds(setting, resident)
    fed = seconds(setting, encode)
    return {
        "pictures": len(items),
        "threads": view_workers(setting.device),
        "per_second": len(items) / fed,
        "per_second_without_decoding": len(items) / alone,
        "idle_share": max(0.0, 1 - alone / fed),
    }


def training(setting: Setting) -> dict[str, Any]:
    """A step of model tuning beside that of the paper's recipe, both over as many pictures, and beside the peak."""
    sizes = setting.sizes
    model = setting.model()
    items, _ = collect_items(setting.pictures[: sizes.trained])
    method = setting.method("model", sizes.batch, batch_size=sizes.batch)
    step, operations = own_step(setting, model, items, method)
    ours = per_step(setting, step)
    del model, step
    recipe = setting.model()
    recipe.precision = torch.float32
    workers = RECIPE_WORKERS if setting.on_gpu else 0
    paths = setting.pictures[: sizes.trained]
    reference = Recipe(recipe, setting.prompts(recipe), paths, "model", workers, sizes.batch)
    theirs = per_step(setting, reference.step)
    peak = matrix_peak(setting)
    return {
        "batch": sizes.batch,
        "step_seconds": ours,
        "reference_step_seconds": theirs,
        "reference_workers": workers,
        "times_the_reference": theirs / ours,
        "operations_a_step": operations,
        "peak_per_second": peak,
        "share_of_peak": operations / ours / peak,
    }


def own_step(
    setting: Setting, model: ClipLikeModel, items: list[Item], method: ResolvedMethod
) -> tuple[Callable[[], None], int]:
    """A step as `TrainingLoop` takes it, and its floating-point operations."""
    learner = Learner(model, setting.prompts(model), method)
    source = ComputedFeatures(model, items, model.views("flip", 0), 2, setting.device)
    sampler = BatchSampler(len(items), method.batch_size, method.drop_last, 0)
    optimizer = build_optimizer(method, learner.parameter_groups())
    gradient = BatchGradient(learner, source, method, lambda: None)
    number = 0

    def step() -> None:
        nonlocal number
        draws = sampler.batch(number)
        source.expect(draws, sampler.batch(number + 1))
        optimizer.zero_grad(set_to_none=True)
        gradient(draws, None, method.micro_batch_size)
        optimizer.step()
        learner.after_step()
        number += 1

    with FlopCounterMode(display=False) as counter:
        step()
    return step, int(counter.get_total_flops())


def per_step(setting: Setting, step: Callable[[], Any]) -> float:
    """Seconds of a step, after some to warm up."""
    for _ in range(WARM_UP if setting.on_gpu else 1):
        step()
    repeats = setting.sizes.repeats

    def several() -> None:
        for _ in range(repeats):
            step()

    return seconds(setting, several) / repeats


def matrix_peak(setting: Setting) -> float:
    """Operations a second of the best of several products of large bfloat16 matrices."""
    side = setting.sizes.matrix
    left, right = (torch.randn(side, side, device=setting.device, dtype=torch.bfloat16) for _ in range(2))
    left @ right
    return 2 * side**3 / min(seconds(setting, lambda: left @ right) for _ in range(10))


def seconds(setting: Setting, work: Callable[[], Any]) -> float:
    """Of work, until the device has done it."""
    synchronize(setting)
    started = time.perf_counter()
    work()
    synchronize(setting)
    return time.perf_counter() - started


def synchronize(setting: Setting) -> None:
    """Wait for the device."""
    if setting.on_gpu:
        torch.cuda.synchronize(setting.device)
