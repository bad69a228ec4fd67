"""Averages of weights along training, and between where it began and where it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from pouf_core.validation.selection import Candidate, WeightKeeper, Weights


class WeightAverage(WeightKeeper):
    """Keeps the mean of the weights after each step of the second half.

    Stochastic weight averaging (Izmailov et al., 2018, arXiv 1803.05407): the mean lies flatter than any of them.

    Args:
        learner: what is trained.
        max_steps: steps in all.

    Attributes:
        best: the mean so far, under the last step that it holds; None in the first half.
    """

    def __init__(self, learner: Weights, max_steps: int) -> None:
        super().__init__(learner)
        self._half = max_steps // 2

    def consider(self, step: int, on_micro_batch: Callable[[], None]) -> None:
        """Take the weights after this step into the mean."""
        if step <= self._half:
            return
        tensors = self._learner.tensors()
        if self.best is not None:
            tensors = towards(self.best.tensors, tensors, 1 / (step - self._half))
        self.best = Candidate(step, tensors)


def towards(begin: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """The weights that lie a share (0 to 1) of the way from some to others of the same names."""
    return {name: tensor.lerp(end[name], share) for name, tensor in begin.items()}
