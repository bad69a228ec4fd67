"""`features`: a caller's own vectors, classified by the caller's class features. There are no weights to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.families.family import Family

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel


def _load(description: BaseModelDescription, device: torch.device) -> BaseModel:
    from pouf_core.families.cosine.features_model import FeaturesModel

    return FeaturesModel(description, device)


FEATURES = Family(
    name="features",
    usage="features",
    embedded=True,
    modality="embedding",
    kind="embedding",
    default_prompt_templates=(),
    describe=lambda _: "A caller's own vectors and class features; there are no weights to load.",
    load=_load,
    takes_class_features=True,
)
