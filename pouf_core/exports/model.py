"""One classifier of an adapted model with the base model below it, as exports take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pouf_core.artifact import load_artifact
from pouf_core.contract.abstention import VariantName
from pouf_core.contract.exports import ExportOptions
from pouf_core.contract.manifest import Manifest
from pouf_core.families.interface import BaseModel
from pouf_core.families.loading import load_base_model
from pouf_core.predictor import Predictor
from pouf_core.variants import Variant


@dataclass(frozen=True)
class ModelToExport:
    """What exports are made of.

    Attributes:
        manifest: of the artifact.
        base: its base model, on the CPU.
        name: of the variant.
        variant: its classifier.
        trained: what was trained, by name, as the learner's `tensors` gave it; empty for zero-shot.
        threshold: the probability below which an item gets no class; 0 where every item gets one.
    """

    manifest: Manifest
    base: BaseModel
    name: VariantName
    variant: Variant
    trained: Mapping[str, Tensor]
    threshold: float

    @property
    def class_names(self) -> list[str]:
        """The K classes in order."""
        return [item.name for item in self.manifest.classes]

    def about(self) -> dict[str, Any]:
        """What is needed beside weights to answer as the service does."""
        levels = self.variant.levels
        return {
            "class_names": self.class_names,
            "variant": self.name,
            "threshold": self.threshold,
            "similarity_levels": None if levels is None else list(levels),
        }


def read_model(artifact: Path, options: ExportOptions) -> ModelToExport:
    """Load a model with its base model.

    Raises:
        ArtifactError, PoufError: as `pouf_core.load`.
        InvalidInput: `unknown_variant`, `invalid_threshold`.
    """
    loaded = load_artifact(artifact)
    manifest = loaded.manifest
    base = load_base_model(manifest.base_model.name, torch.device("cpu"), manifest.activation_used)
    predictor = Predictor(loaded, base)
    name = options.variant or predictor.served
    return ModelToExport(
        manifest=manifest,
        base=base.of_artifact(loaded.tensors),
        name=name,
        variant=predictor.variant(name),
        trained=loaded.trained if name == "adapted" else {},
        threshold=predictor.threshold_of(options.threshold, name),
    )
