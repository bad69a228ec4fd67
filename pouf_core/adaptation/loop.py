"""The training loop: steps, checkpoints, stopping, and what to do when memory runs out."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pouf_core.adaptation.batch_encoding import MakeBatches
from pouf_core.adaptation.checkpoint import Checkpoint, write_checkpoint
from pouf_core.adaptation.features import FeatureSource
from pouf_core.adaptation.optimisation import build_optimizer, build_schedule, clip_gradients
from pouf_core.adaptation.pseudo_labels import PseudoLabels
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.adaptation.step import BatchGradient
from pouf_core.adaptation.step_numbers import StepNumbers
from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.progress import Metrics, OnProgress, Progress, ShouldStop
from pouf_core.errors import AdaptationStopped, OutOfMemory
from pouf_core.families.interface import Trainable
from pouf_core.objective import Objective, updated_marginal
from pouf_core.system.memory import is_out_of_memory, release_memory
from pouf_core.transport import CONVERGED
from pouf_core.validation.selection import Candidate, WeightKeeper

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointPolicy:
    """Where and how often checkpoints are written.

    Attributes:
        directory: None for no checkpoints.
        seconds: least time between two of them.
        identity: see `Checkpoint`.
        newest: what an interrupted run of this adaptation has left, or None to begin.
    """

    directory: Path | None
    seconds: float
    identity: str
    newest: Checkpoint | None = None


class TrainingLoop:
    """Trains a learner from its present state, or from the newest checkpoint, to the last step.

    Args:
        learner: what is trained.
        source: item features.
        sampler: batches.
        method: the resolved method.
        checkpoints: where to write them.
        on_progress: told about every micro-batch and step.
        should_stop: asked before every step; a reason stops the loop.
        selection: told about every step, or None to keep the last one.
        pseudo_labels: what the method trains towards besides, or None.
        batches: makes what encodes batches, see `pouf_core.adaptation.parallel`; None for this process alone.
    """

    def __init__(
        self,
        learner: Trainable,
        source: FeatureSource,
        sampler: BatchSampler,
        method: ResolvedMethod,
        *,
        checkpoints: CheckpointPolicy,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        selection: WeightKeeper | None = None,
        pseudo_labels: PseudoLabels | None = None,
        batches: MakeBatches | None = None,
    ) -> None:
        self._learner = learner
        self._sampler = sampler
        self._method = method
        self._checkpoints = checkpoints
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._selection = selection
        self._pseudo_labels = pseudo_labels
        told = self._report_micro_batch
        shared = None if batches is None else batches(told)
        self._gradient = BatchGradient(learner, source, method, told, pseudo_labels, shared)
        self._optimizer = build_optimizer(method, learner.parameter_groups())
        self._schedule = build_schedule(method, self._optimizer)
        self._running_marginal: Tensor | None = None
        self._micro_batch_size = method.micro_batch_size
        self._step = 0
        self._untold: StepNumbers | None = None
        self._warnings: list[Finding] = []
        self.metrics: list[Metrics] = []

    def run(self) -> None:
        """Train to the last step.

        Raises:
            AdaptationStopped: `should_stop` gave a reason; a checkpoint of the step has been written if it could be.
            OutOfMemory: memory ran out with single items.
        """
        self._resume()
        written = time.monotonic()
        while self._step < self._method.max_steps:
            self._stop_if_asked()
            self._train_one_step()
            if time.monotonic() - written >= self._checkpoints.seconds:
                self._write_checkpoint()
                written = time.monotonic()
        self._write_checkpoint()  # what follows, evaluating and publishing, may be interrupted too

    def _stop_if_asked(self) -> None:
        reason = self._should_stop()
        if reason:
            self._write_checkpoint()
            raise AdaptationStopped(reason, f"Adaptation stopped after step {self._step}: {reason}.")

    def _train_one_step(self) -> None:
        objective = self._gradient_within_memory()
        rate = self._schedule.get_last_lr()[0]
        clip_gradients(self._method, self._optimizer)
        self._optimizer.step()
        self._learner.after_step()
        self._schedule.step()
        if self._method.marginal_momentum > 0:
            momentum = self._method.marginal_momentum
            self._running_marginal = updated_marginal(self._running_marginal, objective.marginal, momentum)
        self._tell_numbers()  # of the step before: a GPU computes this one meanwhile
        self._step += 1
        self._untold = StepNumbers(self._step, objective, float(rate))
        if self._untold.are_here:
            self._tell_numbers()
        if self._selection is not None:
            self._selection.consider(self._step, self._report_micro_batch)
        if self._pseudo_labels is not None:
            self._pseudo_labels.after_step(self._step)

    def _tell_numbers(self) -> None:
        """Report the numbers of the step that is not reported yet, if there is one."""
        if self._untold is None:
            return
        self._warn_of_open_transport(self._untold.transport_error)
        self.metrics.append(self._untold.metrics())
        self._untold = None
        self._report(metrics=self.metrics[-1])

    def _warn_of_open_transport(self, error: float) -> None:
        code = "transport_not_converged"
        if error <= CONVERGED or code in {warning.code for warning in self._warnings}:
            return
        message = (
            f"At step {self._step} the solver that matches items with classes (transport `{self._method.transport}`) "
            f"stopped with {100 * error:.2g} % of the items misplaced; training goes on with the plan it had. A larger "
            "regularization converges sooner."
        )
        self._warn(code, message)

    def _gradient_within_memory(self) -> Objective:
        """Gradient of the step's batch, with smaller micro-batches when memory runs out."""
        last = self._step + 1 == self._method.max_steps
        following = [] if last else self._sampler.batch(self._step + 1)
        draws = self._sampler.batch(self._step)
        self._gradient.expect(draws, following)
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            try:
                return self._gradient(draws, self._running_marginal, self._micro_batch_size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if not self._encode_less_at_once(len(draws)):
                    raise OutOfMemory(
                        "out_of_memory",
                        "Memory ran out at the smallest micro-batch. Use a smaller base model, another tune mode or "
                        "a device with more memory.",
                    ) from error
            release_memory()

    def _encode_less_at_once(self, batch_size: int) -> bool:
        """Halve micro-batches of items and of prompts; False where both are at their smallest."""
        halved = []
        items_halved = self._learner.trains_item_encoder and self._micro_batch_size > 1
        if items_halved:
            self._micro_batch_size = max(1, min(self._micro_batch_size, batch_size) // 2)
            halved.append(f"items are now encoded {self._micro_batch_size} at a time")
        if self._learner.halve_prompts():
            halved.append(f"prompts {self._learner.prompts_at_once} at a time")
        if halved:
            code = "micro_batch_reduced" if items_halved else "prompts_reduced"
            message = f"Memory ran out; {' and '.join(halved)}. The result is the same."
            self._warn(code, message)
        return bool(halved)

    def _warn(self, code: str, message: str) -> None:
        self._warnings.append(finding(code, message))
        self._report(warning=self._warnings[-1])

    def _report_micro_batch(self) -> None:
        self._report()

    def _report(
        self,
        metrics: Metrics | None = None,
        warning: Finding | None = None,
        checkpoint_step: int | None = None,
    ) -> None:
        total = self._method.max_steps
        self._on_progress(
            Progress(
                stage="training",
                step=self._step,
                total_steps=total,
                metrics=metrics,
                warning=warning,
                checkpoint_step=checkpoint_step,
            )
        )

    def _write_checkpoint(self) -> None:
        self._tell_numbers()
        if self._checkpoints.directory is None:
            return
        try:
            write_checkpoint(self._checkpoints.directory, self._checkpoint())
        except OSError:  # a full disk, say: training needs none of it unless it is interrupted
            logger.warning("No checkpoint of step %d could be written; training goes on.", self._step, exc_info=True)
            return
        self._report(checkpoint_step=self._step)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            identity=self._checkpoints.identity,
            step=self._step,
            tensors=self._learner.tensors(),
            optimizer=self._optimizer.state_dict(),
            schedule=self._schedule.state_dict(),
            running_marginal=self._running_marginal,
            method=self._method.model_dump(),
            micro_batch_size=self._micro_batch_size,
            prompts_at_once=self._learner.prompts_at_once,
            metrics=self.metrics,
            warnings=[warning.model_dump() for warning in self._warnings],
            candidate=self._candidate(),
            pseudo_labels=None if self._pseudo_labels is None else self._pseudo_labels.labels,
        )

    def _candidate(self) -> dict[str, Any] | None:
        best = self._selection.best if self._selection is not None else None
        return vars(best) if best is not None else None

    def _resume(self) -> None:
        checkpoint = self._checkpoints.newest
        if checkpoint is None:
            return
        self._learner.load_tensors(checkpoint.tensors)
        self._optimizer.load_state_dict(checkpoint.optimizer)
        self._schedule.load_state_dict(checkpoint.schedule)
        device = self._learner.device
        marginal = checkpoint.running_marginal
        self._running_marginal = None if marginal is None else marginal.to(device)
        self._micro_batch_size = min(self._micro_batch_size, checkpoint.micro_batch_size)
        self._learner.prompts_at_once = min(self._learner.prompts_at_once, checkpoint.prompts_at_once)
        self._step = checkpoint.step
        self.metrics = list(checkpoint.metrics)
        for warning in checkpoint.warnings:
            self._warn(**warning)
        if self._selection is not None and checkpoint.candidate is not None:
            self._selection.best = Candidate(**checkpoint.candidate)
        if self._pseudo_labels is not None and checkpoint.pseudo_labels is not None:
            self._pseudo_labels.labels = checkpoint.pseudo_labels.to(self._pseudo_labels.labels)
        self._report()
