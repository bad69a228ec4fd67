"""Accuracy against evaluation labels. Labels come in here and nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from torch import Tensor

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.audit.share_interval import share_interval
from pouf_core.contract.classes import match_labels
from pouf_core.contract.findings import Finding, finding, listed
from pouf_core.contract.result import Evaluation


def evaluate(
    inputs: RunInputs, labels: Mapping[str, str], zero_shot_classes: Tensor, adapted_classes: Tensor
) -> tuple[Evaluation | None, Finding | None]:
    """Compare predictions with labels, and warn of labels that mean no class.

    Args:
        inputs: n items and K classes.
        labels: content hash to label.
        zero_shot_classes, adapted_classes: [n] predicted, as places among the classes.

    Returns:
        The accuracies; or None and why there are none.
    """
    labelled = [(index, labels[item.sha256]) for index, item in enumerate(inputs.items) if item.sha256 in labels]
    if not labelled:
        return None, finding("no_labels", "The data has no labels to compare predictions with.")
    counts = Counter(label for _, label in labelled)
    targets = match_labels(counts, inputs.request.classes)
    matched = [(index, targets[label]) for index, label in labelled if label in targets]
    unmatched = [label for label, _ in counts.most_common() if label not in targets]
    warning = _unmatched(unmatched, len(labelled) - len(matched), len(labelled))
    if warning is not None:
        inputs.reporter.warn("evaluating", warning)
    if not matched:
        return None, warning
    zero_shot = _correct(zero_shot_classes, matched)
    adapted = _correct(adapted_classes, matched)
    count = len(matched)
    evaluation = Evaluation(
        zero_shot_accuracy=zero_shot / count,
        adapted_accuracy=adapted / count,
        zero_shot_interval=share_interval(zero_shot, count),
        adapted_interval=share_interval(adapted, count),
        n=count,
        unmatched=len(labelled) - count,
    )
    return evaluation, None


def _unmatched(labels: Sequence[str], items: int, labelled: int) -> Finding | None:
    """A warning of labels, the most frequent first, that mean no class; None where there are none."""
    if not labels:
        return None
    if items < labelled:
        message = f"Labels of {items:,} of the {labelled:,} labelled items are no class: {listed(labels)}."
        return finding("labels_unmatched", f"{message} They do not count in the evaluation.")
    message = (
        f"None of the labels is a class, so accuracy cannot be told: {listed(labels)}. Name the classes as the labels "
        "are, with their wording as prompt; or choose `none` for labels where these are none, such as albums."
    )
    return finding("labels_match_no_class", message)


def _correct(classes: Tensor, matched: Sequence[tuple[int, int]]) -> int:
    predicted = classes.tolist()
    return sum(predicted[index] == target for index, target in matched)
