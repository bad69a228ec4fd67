"""Batch calibration of language models: what label words score on average is taken off, in part."""

from __future__ import annotations

import torch

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome, Predicted
from pouf_core.adaptation.resolving import runtime_of
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.closed_forms.calibration import mean_logit_bias
from pouf_core.closed_forms.candidates import SHARE
from pouf_core.contract.closed_forms import ClosedFormSettings
from pouf_core.contract.method import ResolvedClosedForm
from pouf_core.scoring import logit_pieces


def calibrate_label_words(
    inputs: RunInputs, zero_shot: ZeroShot, device: torch.device, threads: int, count: int
) -> Outcome:
    """Take a share of its mean logit over the data off every class, after contextual calibration.

    Batch calibration (Zhou et al., 2024, arXiv 2309.17249), in part. Its gain is not estimated: it is one shift of all
    items, and whether that is a bias of the model or what the data has more of, no label-free evidence told
    (docs/language.md).

    Args:
        inputs, zero_shot, device, threads, count: as for `fit_closed_form`.
    """
    bias = mean_logit_bias(logit_pieces(zero_shot.classifier, zero_shot.features), SHARE)
    method = ResolvedClosedForm(
        tune="calibrate",
        settings=ClosedFormSettings(tune="calibrate", logit_scale=1.0, calibrated="mean_logit", share=SHARE),
        candidates=[],
        item_count=len(inputs.items),
        **runtime_of(inputs.request.method, device, threads),
    )
    pieces = logit_pieces(zero_shot.classifier, zero_shot.features[:count], bias)
    predicted = Predicted.of(pieces, zero_shot.judged_count)
    similarity = zero_shot.similarity(zero_shot.classifier, bias)
    return Outcome(method, zero_shot.classifier, predicted, 0, class_bias=bias, similarity=similarity)
