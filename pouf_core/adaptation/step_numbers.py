"""The numbers of a step, fetched from a GPU without making it wait."""

from __future__ import annotations

import torch
from torch import Tensor

from pouf_core.contract.progress import Metrics
from pouf_core.objective import Objective


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
        self._fetched: dict[str, Tensor] = {}
        self._arrived: torch.cuda.Event | None = None
        remote = {name: part for name, part in self._parts.items() if part.device.type == "cuda"}
        if remote:
            together = torch.stack([part.double() for part in remote.values()])
            copies = together.to("cpu", non_blocking=True)
            self._fetched = dict(zip(remote, copies, strict=True))
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    @property
    def are_here(self) -> bool:
        """Whether nobody has to wait for them."""
        return self._arrived is None

    def metrics(self) -> Metrics:
        """Them as plain numbers; waits for the step to be computed."""
        if self._arrived is not None:
            self._arrived.synchronize()
        parts = {name: (self._fetched.get(name, part)).item() for name, part in self._parts.items()}
        return {"step": float(self.step), **parts, "learning_rate": self._learning_rate}
