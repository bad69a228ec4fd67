"""What can be said of a base model before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PresetFamily = Literal["image", "text", "language"]


@dataclass(frozen=True)
class BaseModelDescription:
    """What can be said of a base model before it is loaded."""

    name: str
    family: Literal["pouf-lite", "open_clip", "hf-align", "minilm", "sentence", "minilm-mlm", "hf-mlm", "hf-causal"]
    modality: Literal["image", "text"]
    embedded: bool
    tune_modes: tuple[str, ...]
    default_prompt_template: str
    description: str

    @property
    def is_language_model(self) -> bool:
        """Whether classes are label words, at the mask of a template that holds the text."""
        return self.family == "minilm-mlm" or self.family in ("hf-mlm", "hf-causal")

    @property
    def preset_family(self) -> PresetFamily:
        """By which presets it is adapted."""
        return "language" if self.is_language_model else self.modality
