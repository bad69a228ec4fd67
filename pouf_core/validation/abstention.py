"""The estimated curve of accuracy against share answered, and the threshold that it proposes; no label is used."""

from __future__ import annotations

import torch
from torch import Tensor

from pouf_core.contract.abstention import AnswerCurve, AnswerPoint

_SHARES = 20


def answer_curve(scores: Tensor, confidence: Tensor, wished_accuracy: float) -> AnswerCurve:
    """Accuracy of the items that are answered first, those of the highest scores.

    Args:
        scores: [m >= 1] largest probabilities as they are served, to which a threshold applies.
        confidence: [m] calibrated probability of each item that its class is right.
        wished_accuracy: what the proposed threshold is to reach, in (0, 1].
    """
    ordered, order = scores.double().sort(descending=True, stable=True)
    count = len(ordered)
    accuracy = confidence.double()[order].cumsum(dim=0) / torch.arange(1, count + 1)
    ends = _ends_of_ties(ordered)

    def point(last: int) -> AnswerPoint:
        """With the items up to the place `last` answered."""
        threshold = 0.0 if last == count - 1 else (ordered[last] + ordered[last + 1]).item() / 2
        return AnswerPoint(threshold=threshold, answered=(last + 1) / count, accuracy=accuracy[last].item())

    wanted = torch.arange(1, _SHARES + 1) * count // _SHARES - 1
    places = torch.searchsorted(ends, wanted.clamp(min=0)).unique()
    good_enough = ends[accuracy[ends] >= wished_accuracy]
    proposed = point(int(good_enough[-1])) if len(good_enough) else None
    return AnswerCurve(points=[point(int(ends[place])) for place in places], proposed=proposed)


def _ends_of_ties(ordered: Tensor) -> Tensor:
    """Places after which a lower score follows: items of one score are answered all or none."""
    lower = torch.ones(len(ordered), dtype=torch.bool)
    lower[:-1] = ordered[:-1] > ordered[1:]
    return torch.nonzero(lower).flatten()
