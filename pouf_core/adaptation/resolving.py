"""From `auto` to numbers: what a caller asks for, the preset and zero-shot probabilities give the method that runs."""

from __future__ import annotations

import math
from typing import Literal, TypedDict, TypeVar

import torch
from torch import Tensor

from pouf_core.contract.method import (
    DEFAULT_CONTEXT_LENGTH,
    LARGEST_LOGIT_SCALE,
    TRANSPORT_PARAMETERS,
    FallbackRule,
    MethodSpec,
    Precision,
    PriorSource,
    ResolvedBaseline,
    ResolvedMethod,
)
from pouf_core.contract.method_checks import check_batch
from pouf_core.contract.presets import PRESETS, Preset, fallback_rule, label_word_bias, wanted_precision
from pouf_core.contract.tune_modes import TUNE_MODES, ModelKind
from pouf_core.system.runtime import encoder_precision

_GIVEN_OR_PRESET = ("transport_weight", "mutual_information_weight", "logit_scale_learning_rate")
_OF_THE_PRESET = (
    "drop_last",
    "short_batches",
    "untied_rows",
    "uncorrected_epsilon",
    "optimizer",
    "momentum",
    "weight_decay",
    "gradient_clip",
    "prototype_learning_rate",
    "pseudo_label_weight",
    "average_weights",
    "schedule",
    "augmentation",
    "views",
)
"""Fields that a caller cannot set."""
_CPU_MICRO_BATCH = 32  # where the image encoder is trained: 2 GB instead of 8 GB for `pouf-lite`, a third more time
PRIOR_POWER = 0.3
_SMALLEST_MEAN = 0.02  # of a class's zero-shot probabilities, in units of an even share
_MOST_STEPS_OF_AN_EPOCH = 400
_ITEMS_PER_CLASS = 4  # in the marginal term, from this batch and, where it is smaller, from earlier ones


class Runtime(TypedDict):
    """What every resolved method has."""

    threads: int
    device: str
    precision: Precision
    fallback: FallbackRule


def resolve(
    spec: MethodSpec,
    marginal: Tensor,
    *,
    item_count: int,
    kind: ModelKind,
    context_scale: float,
    device: torch.device,
    threads: int,
    micro_batch_size: int | None,
    preset: Preset | None = None,
) -> ResolvedMethod:
    """Replace every `auto` by a number; explicit values win.

    Args:
        spec: what the caller asked for.
        marginal: [K] mean of the zero-shot class probabilities of the target data.
        item_count: n.
        kind: of the base model, which chooses the table of presets.
        context_scale: root mean square of the untrained context vectors, which differs between models.
        device: where training runs.
        threads: CPU threads in use, stored because results depend on them bitwise.
        micro_batch_size: items encoded at once, or None for the default of the mode and the device.
        preset: in place of the table's own.

    Raises:
        InvalidInput: the settings contradict each other.
    """
    preset = preset or PRESETS[spec.preset, kind][spec.tune]
    batch_size = _batch_size(spec, preset, item_count)
    check_batch(spec, min(batch_size, item_count), "/dataset_id")
    scale = context_scale if preset.relative_to_context else 1.0
    learning_rate = _or(spec.learning_rate, preset.learning_rate * scale)
    prior, source = _class_prior(spec, preset.prior, marginal)
    return ResolvedMethod(
        type="pouf",
        tune=spec.tune,
        preset=spec.preset,
        transport=spec.transport,
        **_transport_parameters(spec, preset),
        **{name: _or(getattr(spec, name), getattr(preset, name)) for name in _GIVEN_OR_PRESET},
        **{name: getattr(preset, name) for name in _OF_THE_PRESET},
        class_prior=prior,
        class_prior_source=source,
        batch_size=batch_size,
        max_steps=_or(spec.max_steps, _steps(spec, preset, item_count, batch_size)),
        learning_rate=learning_rate,
        projection_learning_rate=learning_rate * preset.projection_factor,
        logit_scale_limit=None if spec.preset == "paper" else LARGEST_LOGIT_SCALE,
        context=spec.context,
        context_init=spec.context_init,
        context_length=_or(spec.context_length, DEFAULT_CONTEXT_LENGTH) if spec.context_init == "random" else None,
        marginal_momentum=_marginal_momentum(batch_size, len(marginal)) if preset.running_marginal else 0.0,
        selection=preset.selection if spec.selection == "auto" else spec.selection,
        last_n=_or(spec.last_n, 1),
        anchor_weight=_or(spec.anchor_weight, 0.0 if spec.context_init == "random" else preset.anchor_weight),
        label_word_bias=label_word_bias(spec, kind),
        micro_batch_size=min(micro_batch_size or _micro_batch_size(spec, kind, device, batch_size), batch_size),
        **runtime_of(spec, device, threads),
    )


def resolve_baseline(spec: MethodSpec, marginal: Tensor, *, device: torch.device, threads: int) -> ResolvedBaseline:
    """The numbers that a method without training uses; arguments as for `resolve`.

    Raises:
        ValueError: the method is of type `pouf`.
    """
    if spec.type == "pouf":
        raise ValueError("Method type pouf is resolved by `resolve`.")
    prior, source = (None, "none") if spec.type == "zero-shot" else _class_prior(spec, "estimated", marginal)
    return ResolvedBaseline(
        type=spec.type,
        class_prior=prior,
        class_prior_source=source,
        **runtime_of(spec, device, threads),
    )


def runtime_of(spec: MethodSpec, device: torch.device, threads: int) -> Runtime:
    """Where a method runs, and when zero-shot is served in its place."""
    return {
        "threads": threads,
        "device": str(device),
        "precision": _precision(spec, device),
        "fallback": fallback_rule(spec),
    }


def _precision(spec: MethodSpec, device: torch.device) -> Precision:
    if (wanted := wanted_precision(spec)) is not None:
        return wanted
    return "bfloat16" if encoder_precision(device) == torch.bfloat16 else "float32"


_Number = TypeVar("_Number", int, float)


def _or(value: _Number | Literal["auto"], preset: _Number) -> _Number:
    return preset if isinstance(value, str) else value


def _transport_parameters(spec: MethodSpec, preset: Preset) -> dict[str, float]:
    used = [name for name, transport in TRANSPORT_PARAMETERS.items() if transport == spec.transport]
    return {name: _or(getattr(spec, name), getattr(preset, name)) for name in used}


def _batch_size(spec: MethodSpec, preset: Preset, item_count: int) -> int:
    batch_size = _or(spec.batch_size, preset.batch_size)
    return batch_size if spec.preset == "paper" else min(batch_size, item_count)


def _micro_batch_size(spec: MethodSpec, kind: ModelKind, device: torch.device, batch_size: int) -> int:
    through_items = kind in TUNE_MODES[spec.tune].through_items
    return _CPU_MICRO_BATCH if through_items and device.type == "cpu" else batch_size


def _steps(spec: MethodSpec, preset: Preset, item_count: int, batch_size: int) -> int:
    """The preset's steps; in `default` at least as many as it takes to see every item once, up to a limit."""
    if spec.preset == "paper":
        return preset.max_steps
    return max(preset.max_steps, min(math.ceil(item_count / batch_size), _MOST_STEPS_OF_AN_EPOCH))


def _marginal_momentum(batch_size: int, class_count: int) -> float:
    """0 for batches large enough to show their marginal; towards 1 the fewer items there are for each class."""
    return max(0.0, 1 - batch_size / (_ITEMS_PER_CLASS * class_count))


def _class_prior(
    spec: MethodSpec, auto: Literal["uniform", "estimated"], marginal: Tensor
) -> tuple[list[float] | None, PriorSource]:
    class_count = len(marginal)
    if isinstance(spec.class_prior, list):
        total = math.fsum(spec.class_prior)
        return [share / total for share in spec.class_prior], "given"
    if spec.class_prior == "none":
        return None, "none"
    if spec.class_prior == "uniform" or auto == "uniform":
        return [1 / class_count] * class_count, "uniform"
    return estimate_prior(marginal).tolist(), "estimated"


def estimate_prior(marginal: Tensor) -> Tensor:
    """Class shares from zero-shot probabilities: their mean, raised to the power 0.3 and normalised.

    The mean of zero-shot probabilities mixes the true shares with the model's own bias towards some classes.
    Taken as it is (power 1), or sharpened by expectation maximisation, it feeds that bias back into training;
    uniform shares (power 0) are wrong for skewed data. The power lies between the two.

    Args:
        marginal: [K] mean of the zero-shot class probabilities.

    Returns:
        [K] positive shares that sum to 1, in float64.
    """
    tempered = marginal.double().clamp(min=_SMALLEST_MEAN / len(marginal)) ** PRIOR_POWER
    return tempered / tempered.sum()
