"""The artifact of a finished adaptation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from torch import Tensor

from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.request import Request
from pouf_core.adaptation.zero_shot import ZeroShot
from pouf_core.artifact import BIAS, FORMAT, TRAINED, Artifact, recorded_versions
from pouf_core.contract.findings import Finding
from pouf_core.contract.result import Evaluation
from pouf_core.data.items import fingerprint
from pouf_core.families.interface import PromptedModel
from pouf_core.families.loading import BaseModel
from pouf_core.scoring import Classifier
from pouf_core.validation.verdict import ReasonedVerdict


def build_artifact(
    request: Request,
    base: BaseModel,
    model: PromptedModel,
    zero_shot: ZeroShot,
    outcome: Outcome,
    verdict: ReasonedVerdict,
    evaluation: Evaluation | None,
    warnings: list[Finding],
) -> Artifact:
    """Everything that prediction, audit and repetition need."""
    tensors = {
        **_classifier_tensors("adapted", outcome.classifier),
        **_classifier_tensors("zero_shot", zero_shot.classifier),
        **{TRAINED + name: tensor for name, tensor in outcome.tensors.items()},
    }
    if outcome.class_bias is not None:
        tensors[BIAS + "adapted"] = outcome.class_bias
    return Artifact(_manifest(request, base, model, outcome, verdict, evaluation, warnings), tensors, outcome.metrics)


def _classifier_tensors(variant: str, classifier: Classifier) -> dict[str, Tensor]:
    return {f"{name}.{variant}": tensor.detach().cpu() for name, tensor in classifier.tensors().items()}


def _manifest(
    request: Request,
    base: BaseModel,
    model: PromptedModel,
    outcome: Outcome,
    verdict: ReasonedVerdict,
    evaluation: Evaluation | None,
    warnings: list[Finding],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "modality": base.description.modality,
        "base_model": {"name": base.description.name, "sha256": base.sha256},
        "class_names": [item.model_dump() for item in request.classes],
        "prompt_templates": request.templates,
        **model.manifest,
        "method": outcome.method.model_dump(),
        "seed": request.seed,
        "dataset": {"fingerprint": fingerprint(request.items), "item_count": len(request.items)},
        "selected_step": outcome.selected_step,
        "evaluation": evaluation.model_dump(mode="json") if evaluation else None,
        "verdict": verdict.verdict,
        "verdict_reasons": [reason.model_dump() for reason in verdict.reasons],
        "fallback": verdict.fallback,
        "judged_by": verdict.figures(),
        "warnings": [warning.model_dump() for warning in warnings],
        "versions": recorded_versions(),
    }
