"""The artifact of a finished adaptation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from torch import Tensor

from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.artifact import BIAS, TRAINED, Artifact, recorded_versions
from pouf_core.contract.abstention import VariantName
from pouf_core.contract.manifest import BaseWeights, DatasetSummary, Manifest
from pouf_core.contract.result import AdaptationResult
from pouf_core.data.items import fingerprint
from pouf_core.families.interface import BaseModel, PromptedModel
from pouf_core.none_of_these import similarity_levels
from pouf_core.scoring import Classifier
from pouf_core.validation.verdict import ReasonedVerdict


def build_artifact(
    inputs: RunInputs,
    base: BaseModel,
    model: PromptedModel[Any],
    zero_shot: ZeroShot,
    outcome: Outcome,
    verdict: ReasonedVerdict,
    result: AdaptationResult,
) -> Artifact:
    """Everything that prediction, audit and repetition need."""
    tensors = {
        **_classifier_tensors("adapted", outcome.classifier),
        **_classifier_tensors("zero_shot", zero_shot.classifier),
        **{TRAINED + name: tensor for name, tensor in outcome.tensors.items()},
    }
    if outcome.class_bias is not None:
        tensors[BIAS + "adapted"] = outcome.class_bias
    manifest = Manifest(
        **result.as_partial(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base_model=BaseWeights(name=base.description.name, sha256=base.sha256),
        request=inputs.request.as_request(),
        longest=model.longest,
        dataset=DatasetSummary(fingerprint=fingerprint(inputs.items), item_count=len(inputs.items)),
        confidence={} if outcome.confidence == 1 else {"adapted": outcome.confidence},
        similarity_levels=_similarity_levels(zero_shot, outcome),
        judged_by=verdict.figures(),
        tensors=sorted(tensors),
        versions=recorded_versions(),
    )
    return Artifact(manifest, tensors, result.metrics)


def _similarity_levels(zero_shot: ZeroShot, outcome: Outcome) -> dict[VariantName, list[float]]:
    """Of the items that the verdict looks at; without a variant whose similarities are not known."""
    count = zero_shot.judged_count
    own = zero_shot.similarity(zero_shot.classifier)
    found: dict[VariantName, list[float]] = {"zero_shot": similarity_levels(own)}
    if outcome.similarity is not None:
        found["adapted"] = similarity_levels(outcome.similarity[:count])
    return found


def _classifier_tensors(variant: str, classifier: Classifier) -> dict[str, Tensor]:
    return {f"{name}.{variant}": tensor.detach().cpu() for name, tensor in classifier.tensors().items()}
