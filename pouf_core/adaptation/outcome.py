"""What a method leaves, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.contract.method import Resolved
from pouf_core.contract.progress import Metrics
from pouf_core.scoring import Classifier, FeatureMatrix


@dataclass(frozen=True)
class Predicted:
    """What a classifier says of the target data.

    Attributes:
        logits: [m, K] of the first m items, which the verdict looks at.
        classes: [c] the most probable class of the first c items, m or more.
    """

    logits: Tensor
    classes: Tensor

    @classmethod
    def of(cls, pieces: Iterable[Tensor], judged: int) -> Predicted:
        """From class logits [b, K] of some items at a time, of which those of the first `judged` are kept."""
        kept, classes, room = [], [], judged
        for logits in pieces:
            if room:
                kept.append(logits[:room])
                room -= len(kept[-1])
            classes.append(logits.argmax(dim=1))
        return cls(torch.cat(kept), torch.cat(classes))


@dataclass(frozen=True)
class Outcome:
    """A finished classifier.

    Attributes:
        method: the numbers it came by.
        classifier: K classes.
        predicted: what it says of the items.
        selected_step: the step whose weights were kept; 0 is the base model as it is.
        class_bias: [K] added to the logits, or None.
        tensors: everything that was trained, by name.
        metrics: numbers of every step.
        estimated_gain: over zero-shot, where it was estimated.
        similarity: [at least judged_count] of the first items with their classes, see `pouf_core.none_of_these`; None
            where it is unknown.
        features: [n, d] that the classifier takes, of all items; None where they are the base model's own.
        confidence: what the logits are multiplied by before the softmax; see `closed_forms.confidence`.
    """

    method: Resolved
    classifier: Classifier
    predicted: Predicted
    selected_step: int
    class_bias: Tensor | None = None
    tensors: dict[str, Tensor] = field(default_factory=dict)
    metrics: list[Metrics] = field(default_factory=list)
    estimated_gain: EstimatedGain | None = None
    similarity: Tensor | None = None
    features: FeatureMatrix | None = None
    confidence: float = 1.0
