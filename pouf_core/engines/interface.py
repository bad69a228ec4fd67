"""What an engine is, and how one is offered to a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from pouf_core.contract.engine import EngineChoice, EngineName

_AFTER = 512  # converting a network takes PyTorch's time for about as many more


class Engine(Protocol):
    """Runs one frozen network on the CPU. Thread-safe."""

    @property
    def name(self) -> EngineName:
        """Which engine it is."""
        ...

    @property
    def version(self) -> str:
        """Of its package."""
        ...

    @property
    def precision(self) -> torch.dtype:
        """What it computes in, which is not what it was asked for where the processor lacks that."""
        ...

    def __call__(self, inputs: Tensor) -> Tensor:
        """Float32 features [B, d] of B inputs."""
        ...


@dataclass(frozen=True)
class EngineOffer:
    """When a frozen network is converted, and where the result is kept.

    Attributes:
        directory: of converted models; None for the user's cache.
        after: items that PyTorch encodes before a network is converted, which takes seconds; fewer don't pay for it.
        in_background: PyTorch goes on meanwhile.
        singly: items come one at a time too, and somebody waits for each; see `OpenVinoEngine`.
    """

    directory: Path | None = None
    after: int = 0
    in_background: bool = False
    singly: bool = False


def offer_of(choice: EngineChoice) -> EngineOffer | None:
    """What a program that encodes now and then offers its networks; None for PyTorch alone."""
    return None if choice == "torch" else EngineOffer(after=_AFTER if choice == "auto" else 0)
