"""Quality `best`: projections, and prototypes of pictures, are trained towards what a closed form is confident of.

See docs/best.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from pouf_core.adaptation.encoding import encode_trunk, feature_source
from pouf_core.adaptation.features import FeatureSource
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.interpolation import Interpolation
from pouf_core.adaptation.loop import CheckpointPolicy, TrainingLoop
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.pseudo_labels import PseudoLabels
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.adaptation.tuning import logits_of, plain_scores, trained_outcome
from pouf_core.adaptation.weight_average import WeightAverage
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.closed_forms.neighbours import nearest_neighbours
from pouf_core.closed_forms.smoothing import NeighbourGraph
from pouf_core.closed_forms.target import neighbour_scale
from pouf_core.contract.findings import finding
from pouf_core.contract.method import ResolvedMethod
from pouf_core.families.interface import PromptedModel, Trainable
from pouf_core.scoring import Scores, logit_pieces
from pouf_core.system.runtime import encode_batch
from pouf_core.validation.criteria import failed_data_checks
from pouf_core.validation.gain import is_served
from pouf_core.validation.thresholds import Thresholds

_MOST_ITEMS = 20_000  # a random sample: items are in order of content hash
_MOST_LABELS = 50_000_000  # numbers in the matrix of pseudo-labels
_LABELLED = 4  # times: at the beginning, and after each quarter but the last


@dataclass(frozen=True)
class Refinement:
    """Training towards the classes that a closed form gives.

    Encoders whose checks of training were measured are judged by these, the others by the estimated gain.

    Attributes:
        inputs: the data and the classes.
        model: the base model with the classes.
        zero_shot: the base model's own classifier.
        fast: the closed form.
        thresholds: what data and changes are checked by.
    """

    inputs: RunInputs
    model: PromptedModel[Any]
    zero_shot: ZeroShot
    fast: Outcome
    thresholds: Thresholds

    def refused(self) -> bool:
        """Whether this data is not to be trained on, which is warned of."""
        if len(self.inputs.items) < 2:
            return self._not_reached("One item has nothing to be compared with.")
        failed = failed_data_checks(self.zero_shot.structure, self.thresholds) if self._is_checked else []
        return bool(failed) and self._not_reached(failed[0].message)

    def run(self, method: ResolvedMethod, checkpoints: CheckpointPolicy, outcome_count: int) -> Outcome | None:
        """Train, and keep the weights that are trusted most; None, and the base model as it was, where none are.

        Args:
            method: the resolved method.
            checkpoints: where to write them.
            outcome_count: how many items, the first ones, are to be predicted.

        Raises:
            AdaptationStopped, OutOfMemory: as `TrainingLoop.run`.
        """
        learner = self.model.learner(method)
        begin = learner.tensors()
        source = feature_source(self.model, learner, self.inputs, method)
        average = WeightAverage(learner, method.max_steps)
        loop = TrainingLoop(
            learner,
            source,
            BatchSampler(self._count, method.batch_size, method.drop_last, self.inputs.request.seed),
            method,
            checkpoints=checkpoints,
            on_progress=self.inputs.reporter.send,
            should_stop=self.inputs.reporter.should_stop,
            selection=average,
            pseudo_labels=self._pseudo_labels(learner, source, method),
        )
        loop.run()
        step, judged = average.settle(), self.zero_shot.judged_count
        scores = partial(self._scores, learner, source, method)
        line = Interpolation(
            learner, begin, lambda: torch.cat(list(logits_of(scores(judged)))), self.inputs, self.zero_shot
        )
        trusted = line.by_checks(self.thresholds) if self._is_checked else line.by_gain(self._least_gain)
        line.settle(0.0 if trusted is None else trusted.share)
        if trusted is None:
            self._not_reached("No weights between zero-shot and the trained ones are trusted.")
            return None
        outcome = trained_outcome(self.inputs, learner, source, method, scores(outcome_count), judged)
        method = method.model_copy(update={"interpolation": trusted.share})
        return replace(outcome, method=method, selected_step=step, metrics=loop.metrics, estimated_gain=trusted.gain)

    @property
    def _is_checked(self) -> bool:
        return self.inputs.request.base.checks_of_training_hold

    @property
    def _count(self) -> int:
        """How many items, the first ones, are trained on."""
        class_count = len(self.inputs.request.classes)
        return min(len(self.inputs.items), _MOST_ITEMS, max(2, _MOST_LABELS // class_count))

    @property
    def _least_gain(self) -> float:
        """Points that the estimated gain has to exceed: the closed form's, where that would be served, or 0."""
        gain = self.fast.estimated_gain
        return gain.points if gain is not None and is_served(gain) else 0.0

    def _pseudo_labels(self, learner: Trainable, source: FeatureSource, method: ResolvedMethod) -> PseudoLabels:
        """The closed form's probabilities and then the trained classifier's, smoothed over the items' neighbours."""
        features, trunk = self.zero_shot.features[: self._count], self._trunk_features()
        rows = range(self._count)
        at_once = encode_batch(learner.device)
        batches = [rows[start : start + at_once] for start in rows[::at_once]]

        @torch.no_grad()
        def relabel() -> Tensor:
            seen = torch.cat([source.plain(part) for part in batches])
            cosines = learner.classifier()(seen).similarity
            probabilities = (neighbour_scale(cosines, nearest_neighbours(seen)) * cosines).softmax(dim=1)
            return NeighbourGraph(seen, *trunk).smooth(probabilities)

        first = torch.cat([logits.softmax(dim=1) for logits in logit_pieces(self.fast.classifier, features)])
        labels = NeighbourGraph(features, *trunk).smooth(first)
        return PseudoLabels(labels, relabel, max(1, method.max_steps // _LABELLED))

    def _trunk_features(self) -> list[Tensor]:
        """What the items are before the projection, where the encoder has one apart."""
        trunk, inputs = self.model.trunk, self.inputs
        if trunk is None:
            return []
        plain = self.model.views("none", inputs.request.seed)
        found = encode_trunk(self.model, trunk, inputs, plain, [0])
        return [found[0][: self._count]]

    def _scores(
        self, learner: Trainable, source: FeatureSource, method: ResolvedMethod, count: int
    ) -> Iterator[Scores]:
        """Scores [b, K] of the first items under the present weights, batch by batch."""
        report, steps = self.inputs.reporter.stage, method.max_steps
        at_once = min(encode_batch(learner.device), method.micro_batch_size)
        return plain_scores(learner, source, at_once, count, lambda *_: report("training", steps, steps))

    def _not_reached(self, reason: str) -> Literal[True]:
        """Warn that quality `best` gives what `fast` gives."""
        message = f"Quality `best` was not reached, and the result is that of `fast`. {reason}"
        self.inputs.reporter.warn("training", finding("best_not_reached", message))
        return True
