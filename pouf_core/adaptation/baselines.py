"""Methods that train nothing: the base model as it is, and its scores re-weighted to a class prior."""

from __future__ import annotations

import torch

from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.reporting import Reporter
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.findings import finding
from pouf_core.contract.method import ResolvedBaseline
from pouf_core.prior_matching import CONVERGED, matching_bias


def run_baseline(zero_shot: ZeroShot, method: ResolvedBaseline, reporter: Reporter) -> Outcome:
    """The classifier of a method without training."""
    bias = None
    logits = zero_shot.logits
    if method.class_prior is not None:
        exact, misplaced = matching_bias(logits, torch.tensor(method.class_prior, dtype=torch.float64))
        if misplaced > CONVERGED:
            message = f"Re-weighting to the class prior was stopped with {100 * misplaced:.2g} % of the mass misplaced."
            reporter.warn("evaluating", finding("prior_matching_not_converged", message))
        bias = exact.float()
        logits = logits + bias.to(logits)
    return Outcome(method, zero_shot.classifier, logits, 0, class_bias=bias)
