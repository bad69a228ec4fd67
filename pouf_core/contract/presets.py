"""The presets: a number for every setting that is left at `auto`, by tune mode and kind of base model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pouf_core.contract.method import FallbackRule, LabelWordBias, MethodSpec, Precision, PresetName
from pouf_core.contract.tune_modes import ModelKind, Tune


@dataclass(frozen=True)
class Preset:
    """What `auto` stands for in one tune mode; the fields are those of `MethodSpec` and `ResolvedMethod`."""

    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    projection_factor: float
    logit_scale_learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Literal["inverse", "cosine", "linear"]
    batch_size: int
    max_steps: int
    augmentation: Literal["none", "flip", "mild", "reference", "words"]
    views: int
    transport_weight: float
    mutual_information_weight: float
    running_marginal: bool
    drop_last: bool
    selection: Literal["label_free", "last"]
    prior: Literal["uniform", "estimated"]
    relative_to_context: bool = False  # the rate is a share of the context vectors' root mean square
    short_batches: bool = False
    untied_rows: bool = False
    uncorrected_epsilon: bool = False
    gradient_clip: float | None = None
    anchor_weight: float = 0.0
    prototype_learning_rate: float = 0.0  # of prototypes that are trained beside what the mode trains
    pseudo_label_weight: float = 0.0
    average_weights: bool = False
    label_word_bias: LabelWordBias | None = None
    sinkhorn_regularization: float = 0.05
    unbalanced_regularization: float = 0.05
    unbalanced_marginal_penalty: float = 1.0
    partial_mass: float = 0.8


def _paper(learning_rate: float) -> Preset:
    """The authors' public code; its rates are multiplied by 0.01 once more, which is done here already."""
    return Preset(
        optimizer="sgd",
        learning_rate=learning_rate,
        projection_factor=1.0,
        logit_scale_learning_rate=5e-7,
        momentum=0.9,
        weight_decay=1e-3,
        schedule="inverse",
        batch_size=96,
        max_steps=5000,
        augmentation="reference",
        views=0,
        transport_weight=1.0,
        mutual_information_weight=0.3,
        running_marginal=False,
        drop_last=True,
        selection="last",
        prior="uniform",
    )


def _default(
    learning_rate: float,
    max_steps: int,
    batch_size: int,
    *,
    projection_factor: float = 1.0,
    relative_to_context: bool = False,
) -> Preset:
    return Preset(
        optimizer="adamw",
        learning_rate=learning_rate,
        projection_factor=projection_factor,
        logit_scale_learning_rate=0.0,
        momentum=0.9,
        weight_decay=1e-3,
        schedule="cosine",
        batch_size=batch_size,
        max_steps=max_steps,
        augmentation="flip",
        views=2,
        transport_weight=1.0,
        mutual_information_weight=0.3,
        running_marginal=True,
        drop_last=False,
        selection="label_free",
        prior="estimated",
        relative_to_context=relative_to_context,
    )


_PAPER: dict[Tune, Preset] = {
    "prompt": _paper(1e-3),
    "prototypes": replace(_paper(1e-3), logit_scale_learning_rate=0.0),
    "head": _paper(5e-7),
    "last_n": _paper(5e-7),
    "norm": _paper(5e-7),
    "model": _paper(5e-7),
}
_DEFAULT: dict[Tune, Preset] = {
    "prompt": replace(
        _default(learning_rate=0.16, max_steps=40, batch_size=256, relative_to_context=True), anchor_weight=5.0
    ),
    "prototypes": replace(
        _default(learning_rate=2e-3, max_steps=60, batch_size=1024), mutual_information_weight=1.0, anchor_weight=60.0
    ),
    "head": _default(learning_rate=5e-5, max_steps=40, batch_size=256),
    "last_n": _default(learning_rate=3e-5, max_steps=16, batch_size=128, projection_factor=2.0),
    "norm": _default(learning_rate=2e-4, max_steps=16, batch_size=128),
    "model": _default(learning_rate=3e-5, max_steps=16, batch_size=128, projection_factor=2.0),
}
_PAPER_TEXT: dict[Tune, Preset] = {
    tune: replace(preset, augmentation="none", views=1) for tune, preset in _PAPER.items()
}
_DEFAULT_TEXT: dict[Tune, Preset] = {
    **{tune: replace(preset, augmentation="words") for tune, preset in _DEFAULT.items()},
    # Chosen on tweets and editorials, see benchmarks/tuning-texts.md: at the pictures' rate prompts lose what they
    # gain, and at their weight of mutual information they collapse towards one of two classes.
    "prompt": replace(_DEFAULT["prompt"], augmentation="words", learning_rate=0.0135, mutual_information_weight=1.0),
    "head": replace(_DEFAULT["head"], augmentation="words", learning_rate=2e-4),  # its projection starts at nothing
}
_PAPER_EMBEDDING: dict[Tune, Preset] = {"prototypes": _PAPER_TEXT["prototypes"]}
_DEFAULT_EMBEDDING: dict[Tune, Preset] = {
    "prototypes": replace(_DEFAULT["prototypes"], augmentation="none", views=1),  # a vector has no other view
}
_PAPER_LANGUAGE = replace(
    _PAPER_TEXT["model"],
    optimizer="adamw",
    learning_rate=1e-5,
    logit_scale_learning_rate=0.0,
    weight_decay=0.0,
    schedule="linear",
    batch_size=2,
    max_steps=1000,
    mutual_information_weight=0.6,
    drop_last=False,
    short_batches=True,
    untied_rows=True,
    uncorrected_epsilon=True,
    gradient_clip=1.0,
    label_word_bias="none",
)
_DEFAULT_LANGUAGE = replace(
    _DEFAULT_TEXT["model"],
    learning_rate=1e-5,
    projection_factor=1.0,
    weight_decay=0.0,
    batch_size=32,
    max_steps=40,
    # Similarities favour a label word as the logits do, and are not calibrated: transport pulls the texts of a weak
    # model to that word (benchmarks/tuning-texts.md). Mutual information sees the calibrated logits.
    transport_weight=0.0,
    mutual_information_weight=0.6,
    gradient_clip=1.0,
    label_word_bias="null",
)
_LANGUAGE_RATES: dict[Tune, float] = {"prompt": 0.05, "norm": 2e-4, "model": 1e-5}
"""That of `prompt` is relative to the context vectors."""


def _language(preset: Preset) -> dict[Tune, Preset]:
    """The modes of language models; in `paper` too the rates of `norm` and `prompt`, which it lacks, are ours."""
    return {
        tune: replace(preset, learning_rate=rate, relative_to_context=tune == "prompt")
        for tune, rate in _LANGUAGE_RATES.items()
    }


PRESETS: dict[tuple[PresetName, ModelKind], dict[Tune, Preset]] = {
    ("paper", "image"): _PAPER,
    ("default", "image"): _DEFAULT,
    ("paper", "text"): _PAPER_TEXT,
    ("default", "text"): _DEFAULT_TEXT,
    ("paper", "language"): _language(_PAPER_LANGUAGE),
    ("default", "language"): _language(_DEFAULT_LANGUAGE),
    ("paper", "embedding"): _PAPER_EMBEDDING,
    ("default", "embedding"): _DEFAULT_EMBEDDING,
}
"""By name of the preset and kind of base model, a row for each tune mode of that kind."""


REFINED: Tune = "head"
"""What quality `best` trains."""


def _refinement(preset: Preset) -> Preset:
    return replace(
        preset,
        max_steps=80,
        transport_weight=0.0,
        pseudo_label_weight=1.0,
        average_weights=True,
        selection="last",
    )


REFINEMENTS: dict[ModelKind, Preset] = {
    "image": replace(_refinement(_DEFAULT["head"]), prototype_learning_rate=3e-4),
    "text": _refinement(_DEFAULT_TEXT["head"]),
}
"""The same by kind of base model: head tuning, and for pictures the prototypes too, towards pseudo-labels in place of
transport."""


def label_word_bias(spec: MethodSpec, kind: ModelKind) -> LabelWordBias | None:
    """The contextual calibration of a language model's class logits; None for other base models."""
    usual = next(iter(PRESETS[spec.preset, kind].values())).label_word_bias  # the same in every mode
    return usual if usual is None or spec.label_word_bias == "auto" else spec.label_word_bias


def wanted_precision(spec: MethodSpec) -> Precision | None:
    """What encoders are to compute in; None for what suits the device."""
    if spec.precision != "auto":
        return spec.precision
    return "float32" if spec.preset == "paper" else None


def fallback_rule(spec: MethodSpec) -> FallbackRule:
    """When the zero-shot variant is served in place of the adapted one."""
    if spec.fallback != "auto":
        return spec.fallback
    return "never" if spec.preset == "paper" else "verdict"
