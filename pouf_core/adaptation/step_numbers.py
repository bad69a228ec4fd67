"""The numbers of a step, fetched from a GPU without making it wait."""

from __future__ import annotations

import torch

from pouf_core.contract.progress import Metrics
from pouf_core.objective import Objective
from pouf_core.system.transfer import on_their_way


class StepNumbers:
    """What is told about one step.

    Args:
        step: from 1.
        objective: of its batch.
        learning_rate: that of the first group of parameters.
    """

    def __init__(self, step: int, objective: Objective, learning_rate: float) -> None:
        self.step = step
        self.transport_error = objective.transport.error
        self._learning_rate = learning_rate
        self._parts = {name: part.detach() for name, part in objective.parts().items()}
        self._remote = [name for name, part in self._parts.items() if part.device.type == "cuda"]
        together = [torch.stack([self._parts[name].double() for name in self._remote])] if self._remote else []
        self._wait = on_their_way(together)

    @property
    def are_here(self) -> bool:
        """Whether nobody has to wait for them."""
        return not self._remote

    def metrics(self) -> Metrics:
        """Them as plain numbers; waits for the step to be computed."""
        fetched = dict(zip(self._remote, self._wait()[0].tolist(), strict=True)) if self._remote else {}
        parts = {name: fetched[name] if name in fetched else part.item() for name, part in self._parts.items()}
        return {"step": float(self.step), **parts, "learning_rate": self._learning_rate}
