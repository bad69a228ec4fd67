"""The base model that an adaptation trains: loaded, or a copy of one that is."""

from __future__ import annotations

import torch

from pouf_core.adaptation.reporting import Reporter
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.request import CheckedRequest
from pouf_core.families.interface import BaseModel
from pouf_core.families.loading import load_base_model


def own_base_model(
    request: CheckedRequest, loaded: BaseModel | None, device: torch.device, reporter: Reporter, given: bool = False
) -> BaseModel:
    """The base model of a request, with parameters of its own; what had to be assumed of it becomes a warning.

    Args:
        request: names it.
        loaded: it, where the caller has it already; it stays as it is unless it is `given`.
        device: where to put one that is loaded.
        reporter: is warned.
        given: whether `loaded` is the run's own from now on.

    Raises:
        InvalidInput, PoufError: as `load_base_model`.
    """
    if loaded is None:
        base = load_base_model(request.base_model, device, request.activation)
    else:
        base = loaded if given else loaded.copy()
    if base.description.activation_assumed:
        reporter.warn("loading_base", _assumed(base.description))
    return base


def _assumed(base: BaseModelDescription) -> Finding:
    message = (
        f"The weights of {base.name} do not say which activation they were trained with; `{base.activation}` was "
        'used, as the architecture has it. For others give "activation" (OpenAI\'s CLIP has `quick_gelu`).'
    )
    return finding("activation_assumed", message)
