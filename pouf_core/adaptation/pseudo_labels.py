"""Pseudo-labels: the class probabilities that training takes for the truth, until better ones are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from pouf_core.system.transfer import indices_on


class PseudoLabels:
    """Class probabilities of n items, told anew as training goes on.

    Args:
        labels: [n, K] to begin with.
        relabel: gives those [n, K] of the present weights.
        every: steps between one time and the next.

    Attributes:
        labels: [n, K] as they are now; part of a checkpoint.
    """

    def __init__(self, labels: Tensor, relabel: Callable[[], Tensor], every: int) -> None:
        self.labels = labels
        self._relabel = relabel
        self._every = every

    def after_step(self, step: int) -> None:
        """Tell them anew where it is time; call after every optimiser step."""
        if step % self._every == 0:
            self.labels = self._relabel()

    def cross_entropy(self, class_logits: Tensor, indices: Sequence[int]) -> Tensor:
        """Mean cross-entropy, a scalar in nats, of class logits [B, K] of the items with these indices."""
        wanted = self.labels[indices_on(self.labels.device, indices)].to(class_logits)
        return -(wanted * class_logits.log_softmax(dim=1)).sum(dim=1).mean()
