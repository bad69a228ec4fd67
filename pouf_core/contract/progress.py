"""What an adaptation reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pouf_core.contract.document import Document
from pouf_core.contract.findings import Finding
from pouf_core.contract.method import Resolved

Stage = Literal["loading_base", "encoding", "encoding_views", "training", "evaluating", "exporting"]
"""`encoding` is of the items as they are, which is what predictions are made of; `encoding_views` of other views of
them, by which the result is judged and which training sees."""
Metrics = dict[str, float | None]
"""Numbers of one optimiser step, `step` among them; None for what is not finite, which JSON cannot say."""


class Progress(Document):
    """One progress update: sent after every micro-batch in any stage.

    Attributes:
        stage: the part of the adaptation that is running.
        step: units done in this stage: while training optimiser steps, or the closed forms tried where none will follow
            (0 as long as some may); items otherwise.
        total_steps: units this stage has in all.
        metrics: losses of a completed optimiser step, else None.
        method: the resolved method, sent once as soon as it is known, else None.
        warning: sent when the warning arises, else None.
        checkpoint_step: the step of a checkpoint that has just become durable, else None.
    """

    stage: Stage
    step: int
    total_steps: int
    metrics: Metrics | None = None
    method: Resolved | None = None
    warning: Finding | None = None
    checkpoint_step: int | None = None


OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], str | None]
