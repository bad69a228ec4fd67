"""Which step's weights to keep, chosen without labels; step 0, the base model as it is, stands among the candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from pouf_core.adaptation.step import OnMicroBatch
from pouf_core.families.interface import Trainable
from pouf_core.validation.change import objections, read_change
from pouf_core.validation.limits import PICTURES, Limits

CANDIDATES = 4
_SMALLEST_DATA = 100  # items; with fewer, choosing looks at all of them and training too
_HELD_OUT_SHARE = 5  # one item in five
_LEAST_HELD_OUT, _MOST_HELD_OUT = 20, 1000


def held_out_count(item_count: int) -> int:
    """How many items, the first in order of content hash, are kept out of training to choose the step by."""
    if item_count < _SMALLEST_DATA:
        return 0
    return min(max(item_count // _HELD_OUT_SHARE, _LEAST_HELD_OUT), _MOST_HELD_OUT)


@dataclass(frozen=True)
class Candidate:
    """A step and the weights it left."""

    step: int
    tensors: dict[str, Tensor]


class StepSelection:
    """Keeps the latest candidate that nothing speaks against, measured on held-out items.

    Args:
        learner: what is trained.
        probabilities: gives [m, K] adapted class probabilities of the held-out items, and calls its argument after
            every micro-batch.
        zero_shot_views: [2, m, K] zero-shot probabilities of the same items in two views.
        class_names: K names.
        max_steps: steps in all; candidates are evenly spaced, the last step among them.
        given_prior: [K] class shares that the caller knows, or None.
        limits: how far a step may go.

    Attributes:
        best: the candidate to keep; None for step 0.
    """

    def __init__(
        self,
        learner: Trainable,
        probabilities: Callable[[OnMicroBatch], Tensor],
        zero_shot_views: Tensor,
        class_names: Sequence[str],
        max_steps: int,
        *,
        given_prior: Sequence[float] | None = None,
        limits: Limits = PICTURES,
    ) -> None:
        self._learner = learner
        self._probabilities = probabilities
        self._zero_shot_views = zero_shot_views
        self._class_names = class_names
        self._given_prior = given_prior
        self._limits = limits
        self._steps = {max_steps * number // CANDIDATES for number in range(1, CANDIDATES + 1)} - {0}
        self.best: Candidate | None = None

    def consider(self, step: int, on_micro_batch: OnMicroBatch) -> None:
        """Keep the present weights if this step is a candidate and nothing speaks against it."""
        if step not in self._steps:
            return
        change = read_change(self._zero_shot_views, self._probabilities(on_micro_batch), self._given_prior)
        if not objections(change, self._class_names, self._limits):
            self.best = Candidate(step, self._learner.tensors())

    def settle(self) -> int:
        """Put the chosen step's weights into the learner, unless it is step 0, and return its number."""
        if self.best is None:
            return 0
        self._learner.load_tensors(self.best.tensors)
        return self.best.step
