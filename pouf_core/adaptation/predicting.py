"""What is served for every item of the target data, written down at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.abstention import Abstention, VariantName, accepting_threshold, served_threshold
from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.feature_cache.digests import digests_of
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import Records, write_predictions
from pouf_core.scoring import class_probabilities, row_pieces


def write_served(
    directory: Path | None,
    inputs: RunInputs,
    zero_shot: ZeroShot,
    outcome: Outcome,
    abstention: Abstention | None,
    variant: VariantName,
) -> None:
    """Write the predictions of all items by the variant that is served.

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
    asked, curve = inputs.request.threshold, None if abstention is None else abstention[variant]
    header = PredictionsHeader(
        class_names=[item.name for item in inputs.request.classes],
        variant=variant,
        threshold=served_threshold(asked, curve),
        accepted_from=accepting_threshold(asked, curve),
        item_count=len(inputs.items),
    )
    write_predictions(directory, header, _records(inputs, zero_shot, outcome, variant))


def _records(inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome, variant: VariantName) -> Iterator[Records]:
    digests, count = digests_of(inputs.items), len(inputs.items)
    own, adapted = zero_shot.features, zero_shot.features if outcome.features is None else outcome.features
    for rows in row_pieces(count, max(zero_shot.classifier.prototypes.shape)):
        inputs.reporter.stage("exporting", rows.start, count)
        with torch.no_grad():
            before = class_probabilities(zero_shot.classifier(own[rows]))
            after = class_probabilities(outcome.classifier(adapted[rows]), outcome.class_bias, outcome.confidence)
        yield prediction_records(digests[rows], after if variant == "adapted" else before, before, after)
