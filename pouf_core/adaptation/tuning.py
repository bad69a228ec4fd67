"""POUF itself: training from the base model to the kept step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pouf_core.adaptation.encoding import feature_source
from pouf_core.adaptation.features import FeaturesOnDemand, FeatureSource, OnEncoded
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.loop import CheckpointPolicy, TrainingLoop
from pouf_core.adaptation.outcome import Outcome, Predicted
from pouf_core.adaptation.parallel import shared_batches
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.progress import Metrics
from pouf_core.families.interface import PromptedModel, Trainable
from pouf_core.none_of_these import expected_similarity
from pouf_core.scoring import Scores
from pouf_core.system.runtime import encode_batch
from pouf_core.validation.criteria import failed_data_checks
from pouf_core.validation.measurements import given_prior
from pouf_core.validation.selection import StepSelection, held_out_count
from pouf_core.validation.thresholds import Thresholds

ScorePieces = Callable[[int, OnEncoded], Iterator[Scores]]
"""Scores of the first m items, batch by batch; the second argument is told about every encoded one."""


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
    scores = partial(plain_scores, learner, source, min(encode_batch(learner.device), method.micro_batch_size))
    selection = None
    if label_free:
        chosen_by = held_out or zero_shot.judged_count
        selection = _selection(inputs, learner, scores, zero_shot, method, chosen_by, thresholds)
    with shared_batches(inputs, learner, source, method) as batches:
        loop = TrainingLoop(
            learner,
            source,
            _sampler(method, item_count, held_out, inputs.request.seed),
            method,
            checkpoints=checkpoints,
            on_progress=inputs.reporter.send,
            should_stop=inputs.reporter.should_stop,
            selection=selection,
            batches=batches,
        )
        loop.run()
    selected = selection.settle() if selection is not None else method.max_steps
    if selected == 0:
        return _kept_zero_shot(zero_shot, method, loop.metrics)
    predicted = scores(outcome_count, partial(inputs.reporter.stage, "evaluating"))
    outcome = trained_outcome(inputs, learner, source, method, predicted, zero_shot.judged_count)
    return replace(outcome, selected_step=selected, metrics=loop.metrics)


def _sampler(method: ResolvedMethod, item_count: int, held_out: int, seed: int) -> BatchSampler:
    """Batches of the items behind the first `held_out`."""
    count, size = item_count - held_out, method.batch_size
    return BatchSampler(count, size, method.drop_last, seed, first=held_out, short_batches=method.short_batches)


def _selection(
    inputs: RunInputs,
    learner: Trainable,
    scores: ScorePieces,
    zero_shot: ZeroShot,
    method: ResolvedMethod,
    chosen_by: int,
    thresholds: Thresholds,
) -> StepSelection:
    """The choice of the step by the first `chosen_by` items."""
    return StepSelection(
        learner,
        lambda on_micro_batch: torch.cat(list(logits_of(scores(chosen_by, lambda *_: on_micro_batch())))).softmax(
            dim=1
        ),
        zero_shot.views[:, :chosen_by],
        [item.name for item in inputs.request.classes],
        method.max_steps,
        thresholds=thresholds,
        given_prior=given_prior(method),
    )


def _kept_zero_shot(zero_shot: ZeroShot, method: ResolvedMethod, metrics: list[Metrics]) -> Outcome:
    classifier, predicted = zero_shot.classifier, Predicted(zero_shot.logits, zero_shot.classes)
    return Outcome(method, classifier, predicted, 0, metrics=metrics, similarity=zero_shot.similarity(classifier))


def logits_of(pieces: Iterable[Scores], similarities: list[Tensor] | None = None) -> Iterator[Tensor]:
    """The class logits [b, K] of scores, whose expected similarities [b] are added to a list."""
    for scores in pieces:
        if similarities is not None:
            similarities.append(expected_similarity(scores))
        yield scores.class_logits


def trained_outcome(
    inputs: RunInputs,
    learner: Trainable,
    source: FeatureSource,
    method: ResolvedMethod,
    scores: Iterable[Scores],
    judged: int,
) -> Outcome:
    """What a learner is under its present weights.

    Args:
        inputs: the data and the classes.
        learner: it.
        source: where it takes item features from.
        method: the resolved method.
        scores: of the first items, batch by batch.
        judged: how many of these the verdict looks at.
    """
    with torch.no_grad():
        classifier = learner.classifier()
    similarities: list[Tensor] = []
    predicted, features = Predicted.of(logits_of(scores, similarities), judged), None
    if learner.trains_item_encoder:
        shape = len(inputs.items), classifier.prototypes.shape[1]
        at_once = min(encode_batch(learner.device), method.micro_batch_size)
        features = FeaturesOnDemand(source, shape, at_once, lambda: inputs.reporter.stage("exporting", 0, 1))
    return Outcome(
        method,
        classifier,
        predicted,
        method.max_steps,
        tensors=learner.tensors(),
        similarity=torch.cat(similarities),
        features=features,
    )


def plain_scores(
    learner: Trainable, source: FeatureSource, at_once: int, count: int, on_encoded: OnEncoded
) -> Iterator[Scores]:
    """Scores [b, K] of the first items as they are, batch by batch, under the present weights."""
    with torch.no_grad():
        classifier = learner.classifier()
    for start in range(0, count, at_once):
        indices = range(start, min(start + at_once, count))
        with torch.no_grad():
            scores = classifier(source.plain(indices))
        on_encoded(indices.stop, count)
        yield scores
