"""What an adaptation reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Stage = Literal["loading_base", "encoding", "training", "evaluating", "exporting"]


@dataclass(frozen=True)
class Progress:
    """One sign of life: sent after every micro-batch in any stage.

    Attributes:
        stage: the part of the adaptation that is running.
        step: units done in this stage (optimiser steps while training, items otherwise).
        total_steps: units this stage has in all.
        metrics: losses of a completed optimiser step, else None.
        method: the resolved method, sent once as soon as it is known, else None.
        warning: `{"code", "message"}`, sent when the warning arises, else None.
        checkpoint_step: the step of a checkpoint that has just become durable, else None.
    """

    stage: Stage
    step: int
    total_steps: int
    metrics: dict[str, float] | None = None
    method: dict[str, Any] | None = None
    warning: dict[str, str] | None = None
    checkpoint_step: int | None = None


OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], str | None]
