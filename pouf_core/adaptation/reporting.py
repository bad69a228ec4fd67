"""Passing on what a running adaptation has to say."""

from __future__ import annotations

from dataclasses import dataclass, field

from pouf_core.contract.findings import Finding
from pouf_core.contract.progress import OnProgress, Progress, ShouldStop, Stage
from pouf_core.errors import AdaptationStopped


@dataclass
class Reporter:
    """Passes progress on, keeps the warnings, and stops between micro-batches outside training."""

    on_progress: OnProgress
    should_stop: ShouldStop
    warnings: list[Finding] = field(default_factory=list)

    def send(self, progress: Progress) -> None:
        if progress.warning:
            self.warnings.append(progress.warning)
        self.on_progress(progress)

    def warn(self, stage: Stage, warning: Finding) -> None:
        self.send(Progress(stage=stage, step=0, total_steps=1, warning=warning))

    def stage(self, stage: Stage, done: int, total: int) -> None:
        reason = self.should_stop()
        if reason:
            raise AdaptationStopped(reason, f"Adaptation stopped in stage {stage}: {reason}.")
        self.send(Progress(stage=stage, step=done, total_steps=total))
