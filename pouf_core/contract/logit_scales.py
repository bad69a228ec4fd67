"""The scale between cosines and logits, as people give it beside their embeddings."""

from __future__ import annotations

import math

from pouf_core.contract.findings import Finding, finding

DEFAULT_LOGIT_SCALE = 100.0  # as CLIP was trained
_ROUNDED = 0.01


def logarithm_warnings(given: float | None) -> list[Finding]:
    """A warning of a scale that is the logarithm of CLIP's, which its checkpoints hold as `logit_scale`, else none."""
    if given is None or abs(given - math.log(DEFAULT_LOGIT_SCALE)) > _ROUNDED:
        return []
    message = (
        f"A logit scale of {given:g} is the logarithm of {DEFAULT_LOGIT_SCALE:g}, as checkpoints hold it. "
        f"The classes' probabilities differ too little by it: give its exponential, {DEFAULT_LOGIT_SCALE:g}."
    )
    return [finding("logit_scale_is_a_logarithm", message)]
