"""What a method leaves, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.contract.method import Resolved
from pouf_core.contract.progress import Metrics
from pouf_core.scoring import Classifier


@dataclass(frozen=True)
class Outcome:
    """A finished classifier.

    Attributes:
        method: the numbers it came by.
        classifier: K classes.
        logits: [m, K] of the first m items, enough for judging and evaluating it.
        selected_step: the step whose weights were kept; 0 is the base model as it is.
        class_bias: [K] added to the logits, or None.
        tensors: everything that was trained, by name.
        metrics: numbers of every step.
        estimated_gain: over zero-shot, where it was estimated.
    """

    method: Resolved
    classifier: Classifier
    logits: Tensor
    selected_step: int
    class_bias: Tensor | None = None
    tensors: dict[str, Tensor] = field(default_factory=dict)
    metrics: list[Metrics] = field(default_factory=list)
    estimated_gain: EstimatedGain | None = None
