"""Passing on what a running adaptation has to say."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from pouf_core.adaptation.class_languages import other_language_warnings
from pouf_core.adaptation.text_languages import foreign_texts_warnings
from pouf_core.contract.class_scripts import other_scripts_warnings
from pouf_core.contract.findings import Finding
from pouf_core.contract.logit_scales import logarithm_warnings
from pouf_core.contract.method import Resolved
from pouf_core.contract.progress import OnProgress, Progress, ShouldStop, Stage
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.labelled_items import LabelledItems
from pouf_core.data.losses import Losses
from pouf_core.errors import AdaptationStopped


@dataclass
class Reporter:
    """Passes progress on, keeps the warnings and the time, and stops between micro-batches outside training.

    Attributes:
        warnings: those sent so far.
        timings: seconds spent in each stage up to the last update.
    """

    on_progress: OnProgress
    should_stop: ShouldStop
    warnings: list[Finding] = field(default_factory=list)
    timings: dict[Stage, float] = field(default_factory=dict)
    _last: Progress = Progress(stage="loading_base", step=0, total_steps=1)
    _heard_at: float = field(default_factory=time.monotonic)

    def send(self, progress: Progress) -> None:
        """Pass one update on."""
        now = time.monotonic()
        self.timings[progress.stage] = self.timings.get(progress.stage, 0.0) + now - self._heard_at
        self._heard_at = now
        self._last = progress
        if progress.warning:
            self.warnings.append(progress.warning)
        self.on_progress(progress)

    def warn(self, stage: Stage, warning: Finding) -> None:
        """Send a warning."""
        self.send(Progress(stage=stage, step=0, total_steps=1, warning=warning))

    def announce(self, method: Resolved) -> None:
        """Tell the resolved method, without leaving the stage that it became known in."""
        last = self._last
        self.send(Progress(stage=last.stage, step=last.step, total_steps=last.total_steps, method=method))

    def stage(self, stage: Stage, done: int, total: int) -> None:
        """Say how far a stage is; raises `AdaptationStopped` when the run is to stop."""
        reason = self.should_stop()
        if reason:
            raise AdaptationStopped(reason, f"Adaptation stopped in stage {stage}: {reason}.")
        self.send(Progress(stage=stage, step=done, total_steps=total))


def input_warnings(data: LabelledItems, request: CheckedRequest) -> list[Finding]:
    """What is said, before anything is loaded, of the data and the class names.

    Of every rejected item, since nothing else tells.
    """
    losses = Losses()
    for one in data.rejected:
        losses.note(Path(one.name).name, one.code, one.message, one.lost, one.undecoded)
    of_items = losses.warnings(len(data.items), tolerated=0.0)
    of_names = other_scripts_warnings(request.base, request.classes) or other_language_warnings(
        request.base, request.classes
    )
    of_texts = foreign_texts_warnings(request.base, data.items)
    of_scale = logarithm_warnings(request.logit_scale)
    return [*data.labelling.warnings, *data.warnings, *of_items, *of_names, *of_texts, *of_scale]
