"""What can be said of a base model before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pouf_core.contract.activation import Activation, ActivationChoice, activation_mismatch
from pouf_core.contract.tune_modes import ModelKind, Tune, tune_modes_of
from pouf_core.errors import InvalidInput

Modality = Literal["image", "text", "embedding"]
"""What a base model takes, and what a dataset holds once it is ingested."""
BY_MODALITY = "auto"
"""Stands for a base model that the data's modality chooses."""
DEFAULT_BASE_MODELS: Mapping[Modality, str] = {"image": "pouf-lite", "text": "minilm", "embedding": "features"}
"""The base model of each modality, for callers who name none."""


@dataclass(frozen=True)
class BaseModelDescription:
    """What can be said of a base model before it is loaded. Its family in `pouf_core.families` decides all of it.

    Attributes:
        name: as callers write it, such as `open_clip:ViT-B-32/openai`.
        family: the name of its family.
        modality: what it classifies.
        kind: whose presets, validation thresholds and tune modes it has.
        embedded: whether its weights come with the installed packages.
        tune_modes: what of it can be trained.
        default_prompt_templates: used where the caller gives none: several are an ensemble.
        description: one line for people.
        takes_label_words: whether classes are label words at the mask of one template that holds the text; if not,
            they are names in a template, or in several.
        reads_after_mask: whether it reads what follows the mask of such a template.
        takes_pairs: whether an item may be a pair of texts.
        takes_class_features: whether a class is a vector that the caller gives, and not a prompt.
        reads_only_english: whether its text tower learned from English texts alone.
        unused_settings: settings of a method that mean nothing to it, each with the reason as a clause.
        activation: of a loaded model, the one it computes with. Before that `auto`, where its weights or its
            configuration decide. None: it leaves no choice.
        activation_assumed: of a loaded model, whether nothing beside its architecture's name told the activation.
    """

    name: str
    family: str
    modality: Modality
    kind: ModelKind
    embedded: bool
    tune_modes: tuple[Tune, ...]
    default_prompt_templates: tuple[str, ...]
    description: str
    takes_label_words: bool = False
    reads_after_mask: bool = True
    takes_pairs: bool = False
    takes_class_features: bool = False
    reads_only_english: bool = False
    unused_settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    activation: ActivationChoice | None = None
    activation_assumed: bool = False

    @property
    def activation_used(self) -> Activation | None:
        """The activation that a loaded model computes with; None where it leaves no choice."""
        return None if self.activation == "auto" else self.activation

    @property
    def checks_of_training_hold(self) -> bool:
        """Whether the limits that training is checked by were measured on it; they do not carry to other scales."""
        return self.embedded and self.kind != "embedding"

    @property
    def judged_by_gain(self) -> bool:
        """Whether the estimated gain decides on what was trained: for encoders of pairs of pictures and texts."""
        return self.kind in ("image", "embedding") and not self.checks_of_training_hold

    def check_activation(self, asked: ActivationChoice) -> None:
        """Refuse an activation that it does not have.

        Raises:
            InvalidInput: `unused_parameter` where it leaves no choice; `activation_mismatch` where it is known to have
                another one.
        """
        if asked == "auto":
            return
        if self.activation is None:
            message = f"{self.name} leaves no choice of an activation, which `open_clip:` models do: leave it out."
            raise InvalidInput("unused_parameter", message, field="/activation")
        if self.activation not in ("auto", asked):
            raise activation_mismatch(self.name, self.activation)

    def over_embeddings(self) -> BaseModelDescription:
        """What it is where the items are embeddings: its text tower makes the class features, and trains no more.

        Raises:
            InvalidInput: `wrong_modality` of a language model, whose features are no embeddings of texts or pictures.
        """
        if self.kind == "embedding":
            return self
        if self.takes_label_words:
            message = (
                f"The data is embeddings and {self.name} is a language model, which reads texts: use `features` with "
                "class features, or the model that made the embeddings."
            )
            raise InvalidInput("wrong_modality", message, field="/base_model")
        return replace(self, modality="embedding", kind="embedding", tune_modes=tune_modes_of("embedding"))
