"""bfloat16 beside float32, and the device beside the CPU: features and gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gpu_checks.setting import Setting, require
from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.step import BatchGradient
from pouf_core.data.items import collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner

ITEMS = 16
LEAST = {"features in bfloat16": 0.997, "gradient in bfloat16": 0.95, "features on the CPU": 0.9999}
"""Cosines with float32 on the device."""


def precision(setting: Setting) -> dict[str, Any]:
    """Least cosines of features, and that of the whole gradient of a step of model tuning."""
    found = {}
    model = setting.model()
    own, gradients, features = str(model.precision), [], []
    for kind in (torch.float32, torch.bfloat16):
        model.precision = kind
        features.append(encoded(model, setting))
        gradients.append(gradient(model, setting))
    found["features in bfloat16"] = least_cosine(*features)
    found["gradient in bfloat16"] = torch.nn.functional.cosine_similarity(*gradients, dim=0).item()
    on_cpu = Setting(torch.device("cpu"), setting.form, setting.folder)
    found["features on the CPU"] = least_cosine(features[0], encoded(on_cpu.model(), on_cpu))
    for name, least in LEAST.items():
        require(found[name] >= least, f"{name}: cosine {found[name]:.5f} with float32 on the device, below {least}")
    return {"own_precision": own, **found}


def least_cosine(one: Tensor, other: Tensor) -> float:
    """Of rows of unit length."""
    return (one * other).sum(dim=1).min().item()


def encoded(model: ClipLikeModel, setting: Setting) -> Tensor:
    """Features [ITEMS, d] on the CPU, in double precision."""
    items, _ = collect_items(setting.pictures[:ITEMS])
    views = model.views("none", 0)
    with torch.no_grad():
        return model.encode_items([views.plain(item) for item in items]).double().cpu()


def gradient(model: ClipLikeModel, setting: Setting) -> Tensor:
    """Of all parameters that model tuning trains, as one vector on the CPU."""
    items, _ = collect_items(setting.pictures[:ITEMS])
    method = setting.method("model", batch_size=ITEMS)
    learner = Learner(model, setting.prompts(model), method)
    source = ComputedFeatures(model, items, model.views("flip", 0), 2, setting.device)
    model.network.zero_grad(set_to_none=True)
    BatchGradient(learner, source, method, lambda: None)([(index, 0) for index in range(ITEMS)], None, ITEMS)
    rows = [item.grad.flatten().double().cpu() for item in model.network.parameters() if item.grad is not None]
    return torch.cat(rows)
