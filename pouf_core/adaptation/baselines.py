"""Methods that train nothing: the base model as it is, and its scores re-weighted to a class prior."""

from __future__ import annotations

import torch

from pouf_core.adaptation.outcome import Outcome, Predicted
from pouf_core.adaptation.reporting import Reporter
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.findings import finding
from pouf_core.contract.method import ResolvedBaseline
from pouf_core.prior_matching import CONVERGED, MOST_ITEMS, matching_bias
from pouf_core.scoring import logit_pieces


def run_baseline(zero_shot: ZeroShot, method: ResolvedBaseline, reporter: Reporter, count: int) -> Outcome:
    """The classifier of a method without training, and what it says of the first `count` items."""
    bias = None
    classifier = zero_shot.classifier
    if method.class_prior is not None:
        logits = torch.cat(list(logit_pieces(classifier, zero_shot.features[:MOST_ITEMS])))
        exact, misplaced = matching_bias(logits, torch.tensor(method.class_prior, dtype=torch.float64))
        if misplaced > CONVERGED:
            left = f"{100 * misplaced:.2g} % of the items"
            message = f"Re-weighting to the expected size of each class was stopped with {left} misplaced."
            reporter.warn("evaluating", finding("prior_matching_not_converged", message))
        bias = exact.float()
    pieces = logit_pieces(classifier, zero_shot.features[:count], bias)
    predicted = Predicted.of(pieces, zero_shot.judged_count)
    similarity = zero_shot.similarity(classifier, bias)
    return Outcome(method, classifier, predicted, 0, class_bias=bias, similarity=similarity)
