"""What is served for every item of the target data, written down at the end of a run.

The other variant is written down as well: a review may change which one is served.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.abstention import Abstention, VariantName, accepting_threshold, served_threshold
from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.feature_cache.digests import digests_of
from pouf_core.predictions.clusters import Clustering
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import (
    OTHER,
    Records,
    mapped_count,
    write_clusters,
    write_features,
    writing_predictions,
)
from pouf_core.scoring import class_probabilities, row_pieces


def write_served(
    directory: Path | None,
    inputs: RunInputs,
    zero_shot: ZeroShot,
    outcome: Outcome,
    abstention: Abstention | None,
    variant: VariantName,
) -> None:
    """Write the predictions of all items by both variants, their clusters, and features of the first ones.

    Args:
        directory: made, see `pouf_core.predictions.stored`; None writes nothing.
        inputs: n items, at most one of each content, in order of content hash.
        zero_shot: the base model's own classifier.
        outcome: the adapted one, with the weights that are kept.
        abstention: the curves of both.
        variant: the one that is served.

    Raises:
        AdaptationStopped: as `Reporter.stage`.
    """
    if directory is None:
        return
    _Served(inputs, zero_shot, outcome, abstention, variant).write(directory)


class _Served:
    """The predictions, made piece by piece, with features and clusters of the items on the way."""

    def __init__(
        self,
        inputs: RunInputs,
        zero_shot: ZeroShot,
        outcome: Outcome,
        abstention: Abstention | None,
        variant: VariantName,
    ) -> None:
        self._inputs = inputs
        self._zero_shot = zero_shot
        self._outcome = outcome
        self._abstention = abstention
        self._variant = variant
        self._own = zero_shot.features
        self._adapted = self._own if outcome.features is None else outcome.features
        self._seen = self._adapted if variant == "adapted" else self._own

    def write(self, directory: Path) -> None:
        """Write the folder."""
        other: VariantName = "zero_shot" if self._variant == "adapted" else "adapted"
        count, sample = len(self._inputs.items), self._sample()
        clustering = Clustering(sample)
        clusters = np.empty(count, np.int16)
        with (
            writing_predictions(directory, self._header(self._variant)) as write_served,
            writing_predictions(directory / OTHER, self._header(other)) as write_other,
        ):
            for rows in row_pieces(count, max(self._zero_shot.classifier.prototypes.shape)):
                self._inputs.reporter.stage("exporting", rows.start, count)
                by_variant = self._records(rows)
                write_served(by_variant[self._variant])
                write_other(by_variant[other])
                clusters[rows] = clustering.of(self._seen[rows])
        write_clusters(directory, clusters)
        write_features(directory, normalize(sample.float(), dim=1).half().numpy())

    def _header(self, variant: VariantName) -> PredictionsHeader:
        request, abstention = self._inputs.request, self._abstention
        asked, curve = request.threshold, None if abstention is None else abstention[variant]
        return PredictionsHeader(
            class_names=[item.name for item in request.classes],
            variant=variant,
            threshold=served_threshold(asked, curve),
            accepted_from=accepting_threshold(asked, curve),
            item_count=len(self._inputs.items),
        )

    def _records(self, rows: slice) -> dict[VariantName, Records]:
        zero_shot, outcome = self._zero_shot, self._outcome
        digests = digests_of(self._inputs.items[rows])
        with torch.no_grad():
            before = class_probabilities(zero_shot.classifier(self._own[rows]))
            after = class_probabilities(outcome.classifier(self._adapted[rows]), outcome.class_bias, outcome.confidence)
        return {
            "adapted": prediction_records(digests, after, before),
            "zero_shot": prediction_records(digests, before, before, after),
        }

    def _sample(self) -> Tensor:
        """Features [m, d] of the first items."""
        width = self._seen.shape[1]
        return self._seen[: mapped_count(len(self._inputs.items), width)].cpu()
