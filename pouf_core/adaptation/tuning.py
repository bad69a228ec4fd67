"""POUF itself: training from the base model to the kept step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pouf_core.adaptation.encoding import feature_source
from pouf_core.adaptation.features import ENCODE_BATCH, FeatureSource, OnEncoded
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.loop import CheckpointPolicy, TrainingLoop
from pouf_core.adaptation.outcome import Outcome, Predicted
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.progress import Metrics
from pouf_core.families.interface import PromptedModel, Trainable
from pouf_core.validation.criteria import failed_data_checks
from pouf_core.validation.measurements import given_prior
from pouf_core.validation.selection import StepSelection, held_out_count
from pouf_core.validation.thresholds import Thresholds

LogitPieces = Callable[[int, OnEncoded], Iterator[Tensor]]
"""Class logits [b, K] of the first m items, batch by batch; the second argument is told about every encoded one."""


def tune_base_model(
    inputs: RunInputs,
    model: PromptedModel[Any],
    zero_shot: ZeroShot,
    method: ResolvedMethod,
    *,
    thresholds: Thresholds,
    outcome_count: int,
    checkpoints: CheckpointPolicy,
) -> Outcome:
    """Train what the method trains on the target data, and keep one step's weights.

    Where the step is chosen without labels and a check of the data fails, no step could be kept but step 0, and nothing
    is trained.

    Args:
        inputs: the data and the classes.
        model: the base model with the classes.
        zero_shot: the base model's own classifier.
        method: the resolved method.
        thresholds: what data and steps are checked by.
        outcome_count: how many items, the first ones, are to be predicted.
        checkpoints: where to write them.

    Raises:
        AdaptationStopped, OutOfMemory: as `TrainingLoop.run`.
    """
    learner = model.learner(method)
    label_free = method.selection == "label_free"
    if label_free and failed_data_checks(zero_shot.structure, thresholds):
        return _kept_zero_shot(zero_shot, method, [])
    source = feature_source(model, learner, inputs, method)
    item_count = len(inputs.items)
    held_out = held_out_count(item_count) if label_free else 0
    logits = partial(plain_logits, learner, source, min(ENCODE_BATCH, method.micro_batch_size))
    selection = None
    if label_free:
        selection = _selection(
            inputs, learner, logits, zero_shot, method, held_out or zero_shot.judged_count, thresholds
        )
    loop = TrainingLoop(
        learner,
        source,
        _sampler(method, item_count, held_out, inputs.request.seed),
        method,
        checkpoints=checkpoints,
        on_progress=inputs.reporter.send,
        should_stop=inputs.reporter.should_stop,
        selection=selection,
    )
    loop.run()
    selected = selection.settle() if selection is not None else method.max_steps
    if selected == 0:
        return _kept_zero_shot(zero_shot, method, loop.metrics)
    with torch.no_grad():
        classifier = learner.classifier()
    pieces = logits(outcome_count, partial(inputs.reporter.stage, "evaluating"))
    predicted = Predicted.of(pieces, zero_shot.judged_count)
    return Outcome(method, classifier, predicted, selected, tensors=learner.tensors(), metrics=loop.metrics)


def _sampler(method: ResolvedMethod, item_count: int, held_out: int, seed: int) -> BatchSampler:
    """Batches of the items behind the first `held_out`."""
    count, size = item_count - held_out, method.batch_size
    return BatchSampler(count, size, method.drop_last, seed, first=held_out, short_batches=method.short_batches)


def _selection(
    inputs: RunInputs,
    learner: Trainable,
    logits: LogitPieces,
    zero_shot: ZeroShot,
    method: ResolvedMethod,
    chosen_by: int,
    thresholds: Thresholds,
) -> StepSelection:
    """The choice of the step by the first `chosen_by` items."""
    return StepSelection(
        learner,
        lambda on_micro_batch: torch.cat(list(logits(chosen_by, lambda *_: on_micro_batch()))).softmax(dim=1),
        zero_shot.views[:, :chosen_by],
        [item.name for item in inputs.request.classes],
        method.max_steps,
        thresholds=thresholds,
        given_prior=given_prior(method),
    )


def _kept_zero_shot(zero_shot: ZeroShot, method: ResolvedMethod, metrics: list[Metrics]) -> Outcome:
    predicted = Predicted(zero_shot.logits, zero_shot.classes)
    return Outcome(method, zero_shot.classifier, predicted, 0, metrics=metrics)


def plain_logits(
    learner: Trainable, source: FeatureSource, at_once: int, count: int, on_encoded: OnEncoded
) -> Iterator[Tensor]:
    """Class logits [b, K] of the first items as they are, batch by batch, under the present weights."""
    with torch.no_grad():
        classifier = learner.classifier()
    for start in range(0, count, at_once):
        indices = range(start, min(start + at_once, count))
        with torch.no_grad():
            logits = classifier(source.plain(indices)).class_logits
        on_encoded(indices.stop, count)
        yield logits
