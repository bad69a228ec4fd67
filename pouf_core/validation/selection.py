"""Which step's weights to keep, chosen without labels; step 0, the base model as it is, stands among the candidates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from pouf_core.validation.criteria import failed_change_checks
from pouf_core.validation.measurements import measure_change
from pouf_core.validation.thresholds import Thresholds

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


class Weights(Protocol):
    """Weights that can be kept and put back."""

    def tensors(self) -> dict[str, Tensor]:
        """Copies of everything trained, by name."""
        ...

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        ...


class WeightKeeper(ABC):
    """Keeps weights as training goes on.

    Args:
        learner: what is trained.

    Attributes:
        best: what it keeps, which is part of a checkpoint; None for the weights that training began with.
    """

    def __init__(self, learner: Weights) -> None:
        self._learner = learner
        self.best: Candidate | None = None

    @abstractmethod
    def consider(self, step: int, on_micro_batch: Callable[[], None]) -> None:
        """Look at the weights after this step; the second argument is called after every micro-batch."""

    def settle(self) -> int:
        """Put the kept weights into the learner and return their step; 0 where it keeps none, and changes nothing."""
        if self.best is None:
            return 0
        self._learner.load_tensors(self.best.tensors)
        return self.best.step


class StepSelection(WeightKeeper):
    """Keeps the latest candidate that fails no check, measured on held-out items.

    Args:
        learner: what is trained.
        probabilities: gives [m, K] adapted class probabilities of the held-out items, and calls its argument after
            every micro-batch.
        zero_shot_views: [2, m, K] zero-shot probabilities of the same items in two views.
        class_names: K names.
        max_steps: steps in all; candidates are evenly spaced, the last step among them.
        thresholds: those for the base model's kind and the tune mode.
        given_prior: [K] class shares that the caller knows, or None.

    Attributes:
        best: the candidate to keep; None for step 0.
    """

    def __init__(
        self,
        learner: Weights,
        probabilities: Callable[[Callable[[], None]], Tensor],
        zero_shot_views: Tensor,
        class_names: Sequence[str],
        max_steps: int,
        *,
        thresholds: Thresholds,
        given_prior: Sequence[float] | None = None,
    ) -> None:
        super().__init__(learner)
        self._probabilities = probabilities
        self._zero_shot_views = zero_shot_views
        self._class_names = class_names
        self._given_prior = given_prior
        self._thresholds = thresholds
        self._steps = {max_steps * number // CANDIDATES for number in range(1, CANDIDATES + 1)} - {0}

    def consider(self, step: int, on_micro_batch: Callable[[], None]) -> None:
        """Keep the present weights if this step is a candidate and fails no check."""
        if step not in self._steps:
            return
        change = measure_change(self._zero_shot_views, self._probabilities(on_micro_batch), self._given_prior)
        if not failed_change_checks(change, self._class_names, self._thresholds):
            self.best = Candidate(step, self._learner.tensors())
