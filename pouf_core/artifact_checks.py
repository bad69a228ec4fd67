"""Whether an artifact's tensors fit its manifest and its base model; checksums say only that they are as written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pouf_core.artifact import Artifact
from pouf_core.contract.abstention import VariantName
from pouf_core.families.interface import BaseModel
from pouf_core.families.trained_tensors import LOGIT_SCALE, misfit

VARIANTS: tuple[VariantName, ...] = ("adapted", "zero_shot")

#: Classifiers by their tensors, each with its axes: K classes, W label words of a class, d numbers of a feature.
_COSINE = {"prototypes": "Kd", "logit_scale": ""}
_LINEAR = {"prototypes": "Kd", "weights": "Kd", "bias": "K"}
_PRESENT = "label_words_present"
_LABEL_WORDS = {
    "label_words_rows": "KWd",
    "label_words_biases": "KW",
    _PRESENT: "KW",
    "label_words_word_bias": "K",
}


def check_artifact(artifact: Artifact, base: BaseModel) -> None:
    """Refuse an artifact with which a base model could not predict.

    Args:
        artifact: read from its files.
        base: the base model that it names; of one that takes class features their width is not known yet.

    Raises:
        ArtifactError: `artifact_corrupt`.
        InvalidInput: its class names cannot be used.
    """
    description = base.description
    if artifact.manifest.modality != description.modality:
        raise misfit(f"it classifies `{artifact.manifest.modality}`, and {description.name} `{description.modality}`")
    _check_complete(artifact)
    sizes = {"K": len(artifact.manifest.classes)}
    if base.width is not None:
        sizes["d"] = base.width
    for variant in VARIANTS:
        if description.takes_label_words:
            kinds = [_LABEL_WORDS]
        else:
            kinds = [_COSINE] if variant == "zero_shot" else [_COSINE, _LINEAR]
        _check_classifier(variant, artifact.classifier_tensors(variant), kinds, sizes)
        bias = artifact.class_bias(variant)
        if bias is not None:
            _check_tensor(f"the class bias of `{variant}`", bias, "K", sizes)
    scale = artifact.trained.get(LOGIT_SCALE)
    if scale is not None:
        _check_tensor(f"`{LOGIT_SCALE}`", scale, "", sizes)


def _check_complete(artifact: Artifact) -> None:
    """An artifact without what was trained would answer as the base model does, and nobody would know."""
    manifest = artifact.manifest
    missing = sorted(set(manifest.tensors or ()) - artifact.tensors.keys())
    if missing:
        raise misfit(f"{len(missing)} of its tensors are missing, such as `{missing[0]}`")
    if manifest.tensors is None and manifest.selected_step and not artifact.trained:
        raise misfit("it holds nothing of what its manifest says was trained")


def _check_classifier(
    variant: str, tensors: Mapping[str, Tensor], kinds: list[dict[str, str]], sizes: dict[str, int]
) -> None:
    kind = next((kind for kind in kinds if kind.keys() == tensors.keys()), None)
    if kind is None:
        wanted = " or ".join(", ".join(f"`{name}.{variant}`" for name in kind) for kind in kinds)
        raise misfit(f"its classifier is not of {wanted}")
    for name, axes in kind.items():
        _check_tensor(f"`{name}.{variant}`", tensors[name], axes, sizes)
    if _PRESENT in tensors and not bool(tensors[_PRESENT].any(dim=1).all()):
        raise misfit(f"a class of `{variant}` has no label word")


def _check_tensor(name: str, tensor: Tensor, axes: str, sizes: dict[str, int]) -> None:
    """Sizes that are not known yet are taken from the tensor, and hold for those after it."""
    shape: tuple[int, ...] = tuple(tensor.shape)
    if not axes and tensor.numel() == 1:
        shape = ()
    is_fit = len(shape) == len(axes) and all(
        sizes.setdefault(axis, size) == size for axis, size in zip(axes, shape, strict=True)
    )
    if not is_fit:
        wanted: list[Any] = [sizes.get(axis, axis) for axis in axes]
        raise misfit(f"{name} has the shape {list(tensor.shape)} and not {wanted}")
    if _PRESENT in name:
        is_number = tensor.dtype == torch.bool
    else:
        is_number = tensor.is_floating_point() and bool(tensor.isfinite().all())
    if not is_number:
        raise misfit(f"{name} holds something else than it should ({tensor.dtype})")
