"""From `auto` to numbers: the table of presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import torch
from torch import Tensor

from pouf_core.catalogue import PresetFamily
from pouf_core.method import (
    DEFAULT_CONTEXT_LENGTH,
    LARGEST_LOGIT_SCALE,
    TRANSPORT_PARAMETERS,
    LabelWordBias,
    MethodSpec,
    Precision,
    PriorSource,
    ResolvedBaseline,
    ResolvedMethod,
)
from pouf_core.method_checks import check_batch, check_method
from pouf_core.prior import estimate_prior


@dataclass(frozen=True)
class _Preset:
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
    gradient_clip: float | None = None
    anchor_weight: float = 0.0
    label_word_bias: LabelWordBias | None = None
    sinkhorn_regularization: float = 0.05
    unbalanced_regularization: float = 0.05
    unbalanced_marginal_penalty: float = 1.0
    partial_mass: float = 0.8


def _paper(learning_rate: float) -> _Preset:
    """The authors' public code; its rates are multiplied by 0.01 once more, which is done here already."""
    return _Preset(
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
) -> _Preset:
    return _Preset(
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


_PAPER = {
    "prompt": _paper(1e-3),
    "prototypes": replace(_paper(1e-3), logit_scale_learning_rate=0.0),
    "head": _paper(5e-7),
    "last_n": _paper(5e-7),
    "norm": _paper(5e-7),
    "model": _paper(5e-7),
}
_DEFAULT = {
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
_TEXT_TUNES = ("prompt", "prototypes", "head", "last_n", "norm", "model")
_PAPER_TEXT = {tune: replace(_PAPER[tune], augmentation="none", views=1) for tune in _TEXT_TUNES}
_DEFAULT_TEXT = {
    **{tune: replace(_DEFAULT[tune], augmentation="words") for tune in _TEXT_TUNES},
    # Chosen on tweets and editorials, see docs/texts.md: at the pictures' rate prompts lose what they gain, and at
    # their weight of mutual information they drift towards one of two classes.
    "prompt": replace(_DEFAULT["prompt"], augmentation="words", learning_rate=0.0135, mutual_information_weight=1.0),
    "head": replace(_DEFAULT["head"], augmentation="words", learning_rate=2e-4),  # its projection starts at nothing
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
    # Similarities lean to a label word as the logits do, and no bias is taken off them: transport pulls the texts of a
    # weak model to that word (docs/language.md). Mutual information sees the logits without the bias.
    transport_weight=0.0,
    mutual_information_weight=0.6,
    gradient_clip=1.0,
    label_word_bias="null",
)
_LANGUAGE_RATES = {"prompt": 0.05, "norm": 2e-4, "model": 1e-5}  # of `prompt`, relative to the context vectors


def _language(preset: _Preset) -> dict[str, _Preset]:
    """The modes of language models; in `paper` too the rates of `norm` and `prompt`, which it lacks, are ours."""
    return {
        tune: replace(preset, learning_rate=rate, relative_to_context=tune == "prompt")
        for tune, rate in _LANGUAGE_RATES.items()
    }


_TABLES: dict[tuple[str, PresetFamily], dict[str, _Preset]] = {
    ("paper", "image"): _PAPER,
    ("default", "image"): _DEFAULT,
    ("paper", "text"): _PAPER_TEXT,
    ("default", "text"): _DEFAULT_TEXT,
    ("paper", "language"): _language(_PAPER_LANGUAGE),
    ("default", "language"): _language(_DEFAULT_LANGUAGE),
}
_CPU_MICRO_BATCH = 32  # where the image encoder is trained: 2 GB instead of 8 GB for `pouf-lite`, a third more time
_ITEMS_PER_CLASS = 4  # in the marginal term, from this batch and, where it is smaller, from earlier ones


def resolve(
    spec: MethodSpec,
    probabilities: Tensor,
    *,
    family: PresetFamily = "image",
    context_scale: float,
    device: torch.device,
    threads: int,
    micro_batch_size: int | None,
) -> ResolvedMethod:
    """Replace every `auto` by a number; explicit values win.

    Args:
        spec: what the caller asked for.
        probabilities: [n, K] zero-shot class probabilities of the target data.
        family: which of the tables the base model goes by.
        context_scale: root mean square of the untrained context vectors, which differs between models.
        device: where training runs.
        threads: CPU threads in use, stored because results depend on them bitwise.
        micro_batch_size: items encoded at once, or None for what fits the device as a rule.

    Raises:
        InvalidInput: the settings contradict each other.
    """
    item_count, class_count = probabilities.shape
    check_method(spec, class_count)
    preset = _TABLES[spec.preset, family][spec.tune]
    batch_size = _or(spec.batch_size, preset.batch_size)
    if spec.preset != "paper":
        batch_size = min(batch_size, item_count)
    check_batch(spec, min(batch_size, item_count), "/dataset_id")
    scale = context_scale if preset.relative_to_context else 1.0
    learning_rate = _or(spec.learning_rate, preset.learning_rate * scale)
    prior, source = _class_prior(spec, preset.prior, probabilities)
    return ResolvedMethod(
        type="pouf",
        tune=spec.tune,
        preset=spec.preset,
        transport=spec.transport,
        **_transport_parameters(spec, preset),
        transport_weight=_or(spec.transport_weight, preset.transport_weight),
        mutual_information_weight=_or(spec.mutual_information_weight, preset.mutual_information_weight),
        class_prior=prior,
        class_prior_source=source,
        batch_size=batch_size,
        drop_last=preset.drop_last,
        max_steps=_or(spec.max_steps, preset.max_steps),
        optimizer=preset.optimizer,
        learning_rate=learning_rate,
        projection_learning_rate=learning_rate * preset.projection_factor,
        logit_scale_learning_rate=_or(spec.logit_scale_learning_rate, preset.logit_scale_learning_rate),
        logit_scale_limit=None if spec.preset == "paper" else LARGEST_LOGIT_SCALE,
        context=spec.context,
        context_init=spec.context_init,
        context_length=_or(spec.context_length, DEFAULT_CONTEXT_LENGTH) if spec.context_init == "random" else None,
        momentum=preset.momentum,
        weight_decay=preset.weight_decay,
        gradient_clip=preset.gradient_clip,
        schedule=preset.schedule,
        augmentation=preset.augmentation,
        views=preset.views,
        marginal_momentum=_marginal_momentum(batch_size, class_count) if preset.running_marginal else 0.0,
        selection=preset.selection if spec.selection == "auto" else spec.selection,
        last_n=_or(spec.last_n, 1),
        anchor_weight=_or(spec.anchor_weight, 0.0 if spec.context_init == "random" else preset.anchor_weight),
        label_word_bias=label_word_bias(spec, family),
        micro_batch_size=min(micro_batch_size or _micro_batch_size(spec, family, device, batch_size), batch_size),
        threads=threads,
        device=str(device),
        precision=_precision(device),
    )


def resolve_baseline(
    spec: MethodSpec, probabilities: Tensor, *, device: torch.device, threads: int
) -> ResolvedBaseline:
    """The numbers that a method without training uses; arguments as for `resolve`."""
    check_method(spec, probabilities.shape[1])
    if spec.type == "pouf":
        raise ValueError("Method type pouf is resolved by `resolve`.")
    prior, source = (None, "none") if spec.type == "zero-shot" else _class_prior(spec, "estimated", probabilities)
    return ResolvedBaseline(
        type=spec.type,
        class_prior=prior,
        class_prior_source=source,
        threads=threads,
        device=str(device),
        precision=_precision(device),
    )


def _precision(device: torch.device) -> Precision:
    return "bfloat16" if device.type == "cuda" else "float32"


_Number = TypeVar("_Number", int, float)


def _or(value: _Number | Literal["auto"], preset: _Number) -> _Number:
    return preset if isinstance(value, str) else value


def _transport_parameters(spec: MethodSpec, preset: _Preset) -> dict[str, float]:
    used = [name for name, transport in TRANSPORT_PARAMETERS.items() if transport == spec.transport]
    return {name: _or(getattr(spec, name), getattr(preset, name)) for name in used}


def label_word_bias(spec: MethodSpec, family: PresetFamily) -> LabelWordBias | None:
    """What is taken off the class logits of a language model; None for other base models."""
    usual = _TABLES[spec.preset, family][spec.tune].label_word_bias
    return usual if usual is None or spec.label_word_bias == "auto" else spec.label_word_bias


def _micro_batch_size(spec: MethodSpec, family: PresetFamily, device: torch.device, batch_size: int) -> int:
    trains_items_trunk = spec.tune in ("last_n", "norm", "model") or family == "language"
    return _CPU_MICRO_BATCH if trains_items_trunk and device.type == "cpu" else batch_size


def _marginal_momentum(batch_size: int, class_count: int) -> float:
    """0 for batches large enough to show their marginal; towards 1 the fewer items there are for each class."""
    return max(0.0, 1 - batch_size / (_ITEMS_PER_CLASS * class_count))


def _class_prior(
    spec: MethodSpec, auto: Literal["uniform", "estimated"], probabilities: Tensor
) -> tuple[list[float] | None, PriorSource]:
    class_count = probabilities.shape[1]
    if isinstance(spec.class_prior, list):
        total = math.fsum(spec.class_prior)
        return [share / total for share in spec.class_prior], "given"
    if spec.class_prior == "none":
        return None, "none"
    if spec.class_prior == "uniform" or auto == "uniform":
        return [1 / class_count] * class_count, "uniform"
    return estimate_prior(probabilities).tolist(), "estimated"


_COLUMN_ENDS: dict[PresetFamily, str] = {"image": "", "text": ", texts", "language": ", language models"}


def presets_table() -> str:
    """Rows of a markdown table: what each preset resolves to, by tune mode and kind of base model."""
    columns = {
        f"{name} {mode}{_COLUMN_ENDS[family]}": preset
        for (name, family), table in _TABLES.items()
        for mode, preset in table.items()
    }
    rows = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for setting in _Preset.__dataclass_fields__:
        values = " | ".join(f"{getattr(preset, setting)}" for preset in columns.values())
        rows.append(f"| `{setting}` | {values} |")
    return "\n".join(rows) + "\n"
