"""Which features an adaptation encodes, and when."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import Tensor

from pouf_core.adaptation.augmentation import Augmentation
from pouf_core.adaptation.features import (
    CachedFeatures,
    ComputedFeatures,
    FeatureCache,
    FeatureSource,
    ProjectedFeatures,
    encode_views,
)
from pouf_core.adaptation.reporting import Reporter
from pouf_core.adaptation.request import Request
from pouf_core.backbones.clip_like import ClipLikeModel
from pouf_core.data import Item
from pouf_core.method import ResolvedMethod


def augmentation(base: ClipLikeModel, kind: str, seed: int) -> Augmentation:
    """Views of pictures as this base model takes them."""
    return Augmentation(kind, base.transform, base.image_size, base.image_mean, base.image_std, seed)


def encode_frozen(
    base: ClipLikeModel,
    part: Literal["image", "trunk"],
    items: Sequence[Item],
    views_of: Augmentation,
    views: Sequence[int],
    cache: FeatureCache,
    reporter: Reporter,
) -> Tensor:
    """Features [V, n, d] of the untrained image encoder, or of its trunk."""
    encode = base.encode_images if part == "image" else base.encode_trunk
    report = partial(reporter.stage, "encoding")
    return encode_views(encode, items, views_of, views, report, cache, f"{part}@{base.sha256}")


def feature_source(
    base: ClipLikeModel, request: Request, method: ResolvedMethod, cache: FeatureCache, reporter: Reporter
) -> FeatureSource:
    """Where training takes image features from: encoded once where the encoder is frozen."""
    views_of = augmentation(base, method.augmentation, request.seed)
    views = range(method.views or cache.fixed_views)
    items = request.items
    plain = augmentation(base, "none", request.seed)
    if views and method.tune == "prompt":
        encoded = encode_frozen(base, "image", items, views_of, views, cache, reporter)
        return CachedFeatures(encoded, encode_frozen(base, "image", items, plain, [0], cache, reporter)[0])
    if views and method.tune == "head" and base.has_separate_projection:
        trunk = encode_frozen(base, "trunk", items, views_of, views, cache, reporter)
        plain_trunk = encode_frozen(base, "trunk", items, plain, [0], cache, reporter)[0]
        return ProjectedFeatures(base, CachedFeatures(trunk, plain_trunk))
    return ComputedFeatures(base, items, views_of, method.views)
