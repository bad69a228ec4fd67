"""The base model of requests that name none."""

from __future__ import annotations

from pouf_core.contract.base_model import BY_MODALITY
from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.request import AdaptationRequest
from pouf_core.families.registry import describe


def settle_base_model(request: AdaptationRequest, modality: RequestedModality) -> AdaptationRequest:
    """The request with the base model of what the data holds, and with all that it decides written out.

    A request that names a base model stays as it is, and so does one over data of which nothing is known yet.

    Raises:
        InvalidRequest: the base model cannot do what is asked for.
    """
    if request.base_model != BY_MODALITY or modality == "auto":
        return request
    chosen = request.for_modality(modality)
    return chosen.check(describe(chosen.base_model)).as_request()
