"""The base model's own classifier, and what it says about the target data before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pouf_core.adaptation.encoding import augmentation, encode_frozen
from pouf_core.adaptation.features import FeatureCache
from pouf_core.adaptation.reporting import Reporter
from pouf_core.adaptation.request import Request
from pouf_core.backbones.clip_like import ClipLikeModel
from pouf_core.prompts import Prompts
from pouf_core.trust import Structure, read_structure

MOST_JUDGED_ITEMS = 5000  # a random sample: items are in order of content hash


@dataclass(frozen=True)
class ZeroShot:
    """The base model's own classifier, kept before training changes the network.

    Attributes:
        prototypes: [K, d].
        logit_scale: logarithm of the scale.
        features: [n, d] of the target data.
        logits: [n, K].
        views: [2, m, K] probabilities of the first m items, as they are and mirrored.
        structure: what these say about the data.
    """

    prototypes: Tensor
    logit_scale: Tensor
    features: Tensor
    logits: Tensor
    views: Tensor
    structure: Structure

    @property
    def judged_count(self) -> int:
        """m, the items by which an adaptation is judged."""
        return self.views.shape[1]


def zero_shot_classifier(
    base: ClipLikeModel, prompts: Prompts, request: Request, cache: FeatureCache, reporter: Reporter
) -> ZeroShot:
    """Encode the target data with the base model and classify it."""
    with torch.no_grad():
        prototypes = base.prototypes(prompts)
    scale = base.logit_scale.detach().clone()
    views_of = augmentation(base, "flip", request.seed)
    judged = request.items[:MOST_JUDGED_ITEMS]
    features = encode_frozen(base, "image", request.items, views_of, [0], cache, reporter)[0]
    mirrored = encode_frozen(base, "image", judged, views_of, [1], cache, reporter)[0]
    logits = scale.exp() * features @ prototypes.T
    mirrored_logits = scale.exp() * mirrored @ prototypes.T
    views = torch.stack([logits[: len(judged)], mirrored_logits]).softmax(dim=2)
    structure = read_structure(views, features[: len(judged)], len(request.items))
    return ZeroShot(prototypes, scale, features, logits, views, structure)
