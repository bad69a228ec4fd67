"""What is served for every item of the target data, written down at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.contract.abstention import Abstention, VariantName, accepting_threshold, served_threshold
from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.feature_cache.digests import digests_of
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import Features, Records, mapped_count, write_features, write_predictions
from pouf_core.scoring import class_probabilities, row_pieces


def write_served(
    directory: Path | None,
    inputs: RunInputs,
    zero_shot: ZeroShot,
    outcome: Outcome,
    abstention: Abstention | None,
    variant: VariantName,
) -> None:
    """Write the predictions of all items by the variant that is served, and features of the first ones.

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
    served = _Served(inputs, zero_shot, outcome, variant)
    write_predictions(directory, header, served.records())
    write_features(directory, served.features())


class _Served:
    """The predictions, made piece by piece, and the features of the first items on the way."""

    def __init__(self, inputs: RunInputs, zero_shot: ZeroShot, outcome: Outcome, variant: VariantName) -> None:
        self._inputs = inputs
        self._zero_shot = zero_shot
        self._outcome = outcome
        self._variant = variant
        self._kept: list[Tensor] = []

    def records(self) -> Iterator[Records]:
        zero_shot, outcome, is_adapted = self._zero_shot, self._outcome, self._variant == "adapted"
        digests, count = digests_of(self._inputs.items), len(self._inputs.items)
        own, adapted = zero_shot.features, zero_shot.features if outcome.features is None else outcome.features
        for rows in row_pieces(count, max(zero_shot.classifier.prototypes.shape)):
            self._inputs.reporter.stage("exporting", rows.start, count)
            with torch.no_grad():
                before_seen, after_seen = own[rows], adapted[rows]
                before = class_probabilities(zero_shot.classifier(before_seen))
                after = class_probabilities(outcome.classifier(after_seen), outcome.class_bias, outcome.confidence)
            seen = after_seen if is_adapted else before_seen
            self._kept.append(seen[: max(mapped_count(count, seen.shape[1]) - rows.start, 0)].cpu())
            yield prediction_records(digests[rows], after if is_adapted else before, before, after)

    def features(self) -> Features:
        found: Features = normalize(torch.cat(self._kept).float(), dim=1).half().numpy()
        return found
