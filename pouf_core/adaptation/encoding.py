"""Which features an adaptation encodes, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from pouf_core.adaptation.features import (
    CachedFeatures,
    ComputedFeatures,
    FeatureSource,
    ProjectedFeatures,
    encode_views,
)
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.contract.method import ResolvedMethod
from pouf_core.data.items import Item
from pouf_core.families.interface import PromptedModel, Trainable, Views, ViewT


def encode_frozen(
    encode: Callable[[Sequence[ViewT]], Tensor],
    key: str,
    items: Sequence[Item],
    views_of: Views[ViewT],
    views: Sequence[int],
    inputs: RunInputs,
) -> Tensor:
    """Features [V, n, d] of an untrained encoder, or of its trunk, whose name in the cache is `key`."""
    report = partial(inputs.reporter.stage, "encoding")
    return encode_views(encode, items, views_of, views, report, inputs.cache, key, inputs.device)


def feature_source(
    model: PromptedModel[ViewT], learner: Trainable, inputs: RunInputs, method: ResolvedMethod
) -> FeatureSource:
    """Where training takes item features from: encoded once where the encoder is frozen."""
    items, seed = inputs.items, inputs.request.seed
    views_of = model.views(method.augmentation, seed)
    views = range(method.views or inputs.cache.fixed_views)
    plain = model.views("none", seed)

    def encoded(encode: Callable[[Sequence[ViewT]], Tensor], key: str) -> CachedFeatures:
        seen = encode_frozen(encode, key, items, views_of, views, inputs)
        return CachedFeatures(seen, encode_frozen(encode, key, items, plain, [0], inputs)[0])

    if views and not learner.trains_item_encoder:
        return encoded(model.encode_items, model.encoder_key)
    trunk = model.trunk
    if views and method.tune == "head" and trunk is not None:
        return ProjectedFeatures(trunk.project, encoded(trunk.encode, trunk.key))
    return ComputedFeatures(model, items, views_of, method.views, inputs.device)
