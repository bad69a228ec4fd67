"""Accuracy against evaluation labels. Labels come in here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scipy.stats import binomtest
from torch import Tensor

from pouf_core.contract.classes import ClassName, match_labels
from pouf_core.contract.result import Evaluation
from pouf_core.data.items import Item

CONFIDENCE = 0.95


def evaluate(
    items: Sequence[Item],
    labels: Mapping[str, str],
    classes: Sequence[ClassName],
    zero_shot_classes: Tensor,
    adapted_classes: Tensor,
) -> Evaluation | None:
    """Compare predictions with labels.

    Args:
        items: n items.
        labels: content hash to label.
        classes: K classes.
        zero_shot_classes, adapted_classes: [n] predicted, as places among the classes.

    Returns:
        None when no label matches a class.
    """
    if not labels:
        return None
    labelled = [(index, labels[item.sha256]) for index, item in enumerate(items) if item.sha256 in labels]
    targets = match_labels((label for _, label in labelled), classes)
    matched = [(index, targets[label]) for index, label in labelled if label in targets]
    if not matched:
        return None
    zero_shot = _correct(zero_shot_classes, matched)
    adapted = _correct(adapted_classes, matched)
    count = len(matched)
    return Evaluation(
        zero_shot_accuracy=zero_shot / count,
        adapted_accuracy=adapted / count,
        zero_shot_interval=interval(zero_shot, count),
        adapted_interval=interval(adapted, count),
        n=count,
        unmatched=len(labelled) - count,
    )


def _correct(classes: Tensor, matched: Sequence[tuple[int, int]]) -> int:
    predicted = classes.tolist()
    return sum(predicted[index] == target for index, target in matched)


def interval(successes: int, count: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share."""
    bounds = binomtest(successes, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)
