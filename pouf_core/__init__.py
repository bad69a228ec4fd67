"""POUF as a library: adapt a model to unlabelled pictures, texts or embeddings, and predict with it.

The public names are loaded when first used. So importing this package, `pouf_core.contract`, `pouf_core.data` or
`pouf_core.families.registry` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pouf_core.adaptation.adapt import adapt
    from pouf_core.adaptation.options import RunOptions
    from pouf_core.adaptation.run import run
    from pouf_core.contract.request import AdaptationRequest
    from pouf_core.contract.result import AdaptationResult
    from pouf_core.feature_adaptation import adapt_features
    from pouf_core.predictor import Prediction, Predictor, load

__all__ = [
    "AdaptationRequest",
    "AdaptationResult",
    "Prediction",
    "Predictor",
    "RunOptions",
    "adapt",
    "adapt_features",
    "load",
    "run",
]

_HOMES = {
    "AdaptationResult": "pouf_core.contract.result",
    "AdaptationRequest": "pouf_core.contract.request",
    "RunOptions": "pouf_core.adaptation.options",
    "adapt": "pouf_core.adaptation.adapt",
    "adapt_features": "pouf_core.feature_adaptation",
    "run": "pouf_core.adaptation.run",
    "Prediction": "pouf_core.predictor",
    "Predictor": "pouf_core.predictor",
    "load": "pouf_core.predictor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pouf_core' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
