"""Methods that train nothing: the base model as it is, and its scores re-weighted to a class prior."""

from __future__ import annotations

import torch

from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.method import ResolvedBaseline
from pouf_core.prior_matching import matching_bias


def run_baseline(zero_shot: ZeroShot, method: ResolvedBaseline) -> Outcome:
    """The classifier of a method without training."""
    bias = None
    logits = zero_shot.logits
    if method.class_prior is not None:
        prior = torch.tensor(method.class_prior, dtype=torch.float64)
        bias = matching_bias(logits.softmax(dim=1), prior).float()
        logits = logits + bias.to(logits)
    return Outcome(method, zero_shot.prototypes, zero_shot.logit_scale, logits, 0, class_bias=bias)
