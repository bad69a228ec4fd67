"""Which features an adaptation encodes, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from pouf_core.adaptation.features import (
    CachedFeatures,
    ComputedFeatures,
    FeatureSource,
    FrozenEncoder,
    ProjectedFeatures,
    encode_views,
)
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.presets import REFINED
from pouf_core.contract.progress import Stage
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.items import Item
from pouf_core.families.interface import PromptedModel, Trainable, Trunk, Views, ViewT
from pouf_core.scoring import FeatureMatrix


def encode_items(
    model: PromptedModel[ViewT],
    inputs: RunInputs,
    views_of: Views[ViewT],
    views: Sequence[int],
    items: Sequence[Item] | None = None,
    stage: Stage = "encoding_views",
) -> list[FeatureMatrix]:
    """Features [n, d] of items, all by default, in each of the given views, by the untrained encoder.

    Where the request trains a projection alone, what comes before it is encoded in the same pass, for `encode_trunk`.
    """
    trunk = model.trunk if _trains_projection(inputs.request) else None
    encode: Callable[[Sequence[ViewT]], Sequence[Tensor]] = lambda seen: [model.encode_items(seen)]  # noqa: E731
    encoder = FrozenEncoder(
        lambda: [model.encoder_key, *([] if trunk is None or model.trunk is None else [model.trunk.key])],
        encode if trunk is None else partial(_projected_and_not, trunk),
        inputs.device,
        lambda: model.engine_used,
    )
    return _encode(encoder, inputs, views_of, views, items, stage)


def encode_trunk(
    model: PromptedModel[ViewT], trunk: Trunk, inputs: RunInputs, views_of: Views[ViewT], views: Sequence[int]
) -> list[FeatureMatrix]:
    """Features [n, c] of all items before the projection, in each of the given views."""
    encoder: FrozenEncoder[ViewT] = FrozenEncoder(
        lambda: [trunk.key], lambda seen: [trunk.encode(seen)], inputs.device, lambda: model.engine_used
    )
    return _encode(encoder, inputs, views_of, views)


def feature_source(
    model: PromptedModel[ViewT], learner: Trainable, inputs: RunInputs, method: ResolvedMethod
) -> FeatureSource:
    """Where training takes item features from: encoded once where the encoder is frozen."""
    seed = inputs.request.seed
    views_of = model.views(method.augmentation, seed)
    views = range(method.views or inputs.cache.fixed_views)
    plain = model.views("none", seed)

    def encoded(encode: Callable[[Views[ViewT], Sequence[int]], list[FeatureMatrix]]) -> CachedFeatures:
        return CachedFeatures(encode(views_of, views), encode(plain, [0])[0])

    if views and not learner.trains_item_encoder:
        return encoded(partial(encode_items, model, inputs))
    trunk = model.trunk
    if views and method.tune == "head" and trunk is not None:
        return ProjectedFeatures(trunk.project, encoded(partial(encode_trunk, model, trunk, inputs)))
    return ComputedFeatures(model, inputs.items, views_of, method.views, inputs.device)


def _encode(
    encoder: FrozenEncoder[ViewT],
    inputs: RunInputs,
    views_of: Views[ViewT],
    views: Sequence[int],
    items: Sequence[Item] | None = None,
    stage: Stage = "encoding_views",
) -> list[FeatureMatrix]:
    """Features of the first kind."""
    report = partial(inputs.reporter.stage, stage)
    wanted = inputs.items if items is None else items
    return encode_views(encoder, wanted, views_of, views, report, inputs.cache)[0]


def _projected_and_not(trunk: Trunk, seen: Sequence[Any]) -> Sequence[Tensor]:
    features = trunk.encode(seen)
    return trunk.project(features), features


def _trains_projection(request: CheckedRequest) -> bool:
    return "head" in (request.method.tune, REFINED if request.quality == "best" else None)
