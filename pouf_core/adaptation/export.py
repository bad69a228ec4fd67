"""The artifact of a finished adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from torch import Tensor

from pouf_core.adaptation.learner import Learner
from pouf_core.adaptation.request import Request
from pouf_core.artifact import FORMAT, PROTOTYPES, SCALE, TRAINED, Artifact, recorded_versions
from pouf_core.backbones.clip_like import ClipLikeModel
from pouf_core.data import fingerprint
from pouf_core.evaluation import Evaluation
from pouf_core.method import ResolvedMethod


@dataclass(frozen=True)
class ZeroShot:
    """The base model's own classifier, kept before training changes the network.

    Attributes:
        prototypes: [K, d].
        logit_scale: logarithm of the scale.
        features: [n, d] of the target data.
        logits: [n, K].
    """

    prototypes: Tensor
    logit_scale: Tensor
    features: Tensor
    logits: Tensor


def build_artifact(
    request: Request,
    base: ClipLikeModel,
    learner: Learner,
    zero_shot: ZeroShot,
    adapted_prototypes: Tensor,
    *,
    method: ResolvedMethod,
    metrics: list[dict[str, float]],
    evaluation: Evaluation | None,
    warnings: list[dict[str, str]],
) -> Artifact:
    """Everything that prediction, audit and repetition need."""
    tensors = {
        PROTOTYPES + "adapted": adapted_prototypes.cpu(),
        PROTOTYPES + "zero_shot": zero_shot.prototypes.cpu(),
        SCALE + "adapted": base.logit_scale.detach().cpu().clone(),
        SCALE + "zero_shot": zero_shot.logit_scale.cpu(),
        **{TRAINED + name: tensor for name, tensor in learner.tensors().items()},
    }
    return Artifact(_manifest(request, base, method, evaluation, warnings), tensors, metrics)


def _manifest(
    request: Request,
    base: ClipLikeModel,
    method: ResolvedMethod,
    evaluation: Evaluation | None,
    warnings: list[dict[str, str]],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "modality": base.description.modality,
        "base_model": {"name": base.description.name, "sha256": base.sha256},
        "class_names": [item.model_dump() for item in request.classes],
        "prompt_templates": request.templates,
        "method": method.model_dump(),
        "seed": request.seed,
        "dataset": {"fingerprint": fingerprint(request.items), "item_count": len(request.items)},
        "selected_step": method.max_steps,
        "evaluation": evaluation.as_dict() if evaluation else None,
        "verdict": None,
        "verdict_reasons": [],
        "fallback": None,
        "warnings": warnings,
        "versions": recorded_versions(),
    }
