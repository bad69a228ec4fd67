"""The parts of an adaptation over drawn pictures, for tests that look at one of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.loop import CheckpointPolicy, TrainingLoop
from pouf_core.adaptation.resolving import resolve
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.method import MethodSpec, ResolvedMethod
from pouf_core.data.items import collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from tests.pouf_core.conftest import CLASS_NAMES


def resolved(tune: str, **settings: object) -> ResolvedMethod:
    spec = MethodSpec.model_validate({"tune": tune, "class_prior": "uniform", **settings})
    return resolve(
        spec,
        torch.full((3,), 1 / 3),
        item_count=24,
        kind="image",
        context_scale=0.05,
        device=torch.device("cpu"),
        threads=1,
        micro_batch_size=None,
    )


def learner_and_source(
    model: ClipLikeModel, paths: Sequence[Path], method: ResolvedMethod
) -> tuple[Learner, ComputedFeatures]:
    items, _ = collect_items(paths)
    prompts = build_prompts(parse_class_names(CLASS_NAMES), ["a photo of a {}."], model.tokenizer)
    return Learner(model, prompts, method), ComputedFeatures(model, items, views_of(model), views=2)


def views_of(model: ClipLikeModel) -> ImageViews:
    return ImageViews("flip", model.transform, model.image_size, model.image_mean, model.image_std, seed=0)


def run_loop(learner: Learner, source: object, method: ResolvedMethod, **options: object) -> TrainingLoop:
    loop = TrainingLoop(
        learner,
        source,  # type: ignore[arg-type]
        BatchSampler(24, method.batch_size, method.drop_last, seed=0),
        method,
        checkpoints=CheckpointPolicy(None, 1e9, "identity"),
        on_progress=options.get("on_progress", lambda _: None),  # type: ignore[arg-type]
        should_stop=lambda: None,
    )
    loop.run()
    return loop
