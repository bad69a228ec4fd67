"""An engine whose features are compared with PyTorch's before it is trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from pouf_core.contract.engine import EngineUsed
from pouf_core.engines.interface import Engine
from pouf_core.system.memory import is_out_of_memory

logger = logging.getLogger(__name__)

COMPARED = 8
LEAST_COSINE = {torch.float32: 0.99999, torch.bfloat16: 0.997}


class CheckedEngine:
    """An engine that gives way to PyTorch for good where it fails, or disagrees on one of the first items.

    Args:
        engine: what runs the network.
        reference: the same in PyTorch, in a precision; it is compared with in float32, whose rounding adds nothing.
        precision: what was asked for, and what PyTorch computes in where it takes over.
        label: of the network, for the log.
    """

    def __init__(
        self, engine: Engine, reference: Callable[[Tensor, torch.dtype], Tensor], precision: torch.dtype, label: str
    ) -> None:
        self._engine = engine
        self._reference = reference
        self._precision = precision
        self._label = label
        self._seen: set[bytes] = set()
        self._agreement = 1.0
        self._refused = False

    @property
    def used(self) -> EngineUsed:
        """What runs the network now."""
        if self._refused:
            return torch_used(self._precision)
        agreement = self._agreement if self._seen else None
        return EngineUsed(
            name=self._engine.name,
            version=self._engine.version,
            precision=_name_of(self._engine.precision),
            agreement=agreement,
        )

    def __call__(self, inputs: Tensor) -> Tensor:
        """Features [B, d] of B inputs; errors are those of running out of memory."""
        if self._refused:
            return self._reference(inputs, self._precision)
        try:
            features = self._engine(inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            self._refuse(f"it failed: {error}")
            return self._reference(inputs, self._precision)
        if len(self._seen) < COMPARED and not self._agrees(inputs, features):
            return self._reference(inputs, self._precision)
        return features

    def _agrees(self, inputs: Tensor, features: Tensor) -> bool:
        """Compare the features of items that were not compared before."""
        fresh = {row.numpy().tobytes(): index for index, row in enumerate(inputs[: 2 * COMPARED])}
        chosen = [index for content, index in fresh.items() if content not in self._seen][: COMPARED - len(self._seen)]
        if not chosen:
            return True
        cosine = least_cosine(features[chosen], self._reference(inputs[chosen], torch.float32))
        self._seen.update(content for content, index in fresh.items() if index in chosen)
        self._agreement = min(self._agreement, cosine)
        if not cosine >= LEAST_COSINE[self._engine.precision]:  # nor not a number
            self._refuse(f"the cosine of its features with PyTorch's is {cosine:.6f}")
            return False
        if len(self._seen) == COMPARED:
            logger.info(
                "%s agrees with PyTorch on %s: cosine %.7f or more over %d items.",
                self._engine.name,
                self._label,
                self._agreement,
                COMPARED,
            )
        return True

    def _refuse(self, reason: str) -> None:
        self._refused = True
        logger.warning("%s does not run %s, and PyTorch does: %s.", self._engine.name, self._label, reason)


def least_cosine(features: Tensor, expected: Tensor) -> float:
    """The least cosine of two features [B, d] of one item."""
    return float(torch.cosine_similarity(features.double(), expected.double(), dim=-1).min())


def torch_used(precision: torch.dtype) -> EngineUsed:
    """PyTorch as an engine."""
    return EngineUsed(name="torch", version=torch.__version__.partition("+")[0], precision=_name_of(precision))


def _name_of(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")
