"""Settings of a method that contradict each other, the data or the number of classes."""

from __future__ import annotations

import math

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.method import BASELINE_SETTINGS, LANGUAGE_SETTINGS, TRANSPORT_PARAMETERS, MethodSpec
from pouf_core.errors import InvalidInput

PRIOR_TOLERANCE = 1e-4
SMALLEST_SHARE = 1e-12
_NOT_OF_LANGUAGE_MODELS = {
    "context": "its context vectors stand around the text and are shared by all classes",
    "context_init": "its context vectors start from the template's words",
    "context_length": "the template's words set the number of its context vectors",
    "anchor_weight": "it has no prototypes to hold",
    "logit_scale_learning_rate": "it has no logit scale",
}
_NEEDS_PRIOR = ("sinkhorn", "emd", "partial")


def check_method(spec: MethodSpec, class_count: int) -> None:
    """Refuse settings that contradict each other or the number of classes.

    Raises:
        InvalidInput: `invalid_class_prior`, `class_prior_needed`, `unused_parameter`, `batch_too_small` or
            `invalid_method`, with the field at fault.
    """
    if spec.type in BASELINE_SETTINGS:
        _check_baseline(spec)
    _check_context(spec)
    if isinstance(spec.class_prior, list):
        _check_prior(spec.class_prior, class_count)
    _check_transport(spec)
    _check_selection(spec)
    _check_anchor(spec)
    if spec.batch_size == 1:
        check_batch(spec, 1, "/method/batch_size")


def check_base(spec: MethodSpec, base: BaseModelDescription) -> None:
    """Refuse settings that a base model does not have.

    Raises:
        InvalidInput: `unsupported_tune`, with the modes that it has, or `unused_parameter`.
    """
    _check_tune(spec, base)
    given = {name for name, field in MethodSpec.model_fields.items() if getattr(spec, name) != field.default}
    if base.is_language_model:
        reasons = _NOT_OF_LANGUAGE_MODELS
    else:
        reasons = dict.fromkeys(LANGUAGE_SETTINGS, "it is no language model")
    for name, reason in reasons.items():
        if name in given:
            message = f"{base.name} does not use {name}: {reason}. Leave it out."
            raise InvalidInput("unused_parameter", message, field=f"/method/{name}")


def _check_tune(spec: MethodSpec, base: BaseModelDescription) -> None:
    if spec.type in BASELINE_SETTINGS or spec.tune in base.tune_modes:
        return
    message = f"{base.name} can be tuned by: {', '.join(base.tune_modes)}."
    raise InvalidInput("unsupported_tune", message, field="/method/tune")


def check_batch(spec: MethodSpec, batch_size: int, field: str) -> None:
    """Refuse a batch of one item where no running marginal tells what the other items are like.

    Args:
        spec: what the caller asked for.
        batch_size: items in a batch.
        field: the field that made it so.

    Raises:
        InvalidInput: `batch_too_small`.
    """
    if batch_size >= 2 or (spec.preset != "paper" and spec.class_prior != "none"):
        return
    where = "preset `paper`" if spec.preset == "paper" else "class_prior `none`"
    raise InvalidInput(
        "batch_too_small",
        f"A batch of 1 needs a running marginal, which {where} does without: at least 2 items and a batch_size of at "
        "least 2, or preset `default` with a class prior.",
        field=field,
    )


def _check_baseline(spec: MethodSpec) -> None:
    for name, field in MethodSpec.model_fields.items():
        if name in BASELINE_SETTINGS[spec.type] | LANGUAGE_SETTINGS or getattr(spec, name) in (field.default, "auto"):
            continue
        raise InvalidInput(
            "unused_parameter",
            f"Method type `{spec.type}` trains nothing and does not use {name}: leave it out, or set type to `pouf`.",
            field=f"/method/{name}",
        )
    if spec.type == "prior-matching" and spec.class_prior == "none":
        raise InvalidInput(
            "class_prior_needed",
            "Prior matching needs a class prior: `auto`, `uniform` or one number above 0 for each class.",
            field="/method/class_prior",
        )


def _check_selection(spec: MethodSpec) -> None:
    if spec.preset == "paper" and spec.selection == "label_free":
        raise InvalidInput(
            "invalid_method",
            "Preset `paper` goes to its last step: selection must be `auto` or `last`, or the preset `default`.",
            field="/method/selection",
        )
    if spec.tune != "last_n" and spec.last_n != "auto":
        raise InvalidInput(
            "unused_parameter",
            f"last_n belongs to tune `last_n`, and tune is `{spec.tune}`: leave it out, give `auto`, or set tune to "
            "`last_n`.",
            field="/method/last_n",
        )


def _check_anchor(spec: MethodSpec) -> None:
    problem = None
    if spec.tune not in ("prompt", "prototypes") and spec.anchor_weight != "auto":
        problem = "anchor_weight", f"it belongs to tune `prompt` and `prototypes`, and tune is `{spec.tune}`"
    elif spec.tune == "prototypes" and spec.logit_scale_learning_rate != "auto":
        problem = "logit_scale_learning_rate", "tune `prototypes` keeps the logit scale as it is"
    if problem:
        message = f"{problem[0]} is not used: {problem[1]}. Leave it out."
        raise InvalidInput("unused_parameter", message, field=f"/method/{problem[0]}")


def _check_transport(spec: MethodSpec) -> None:
    for name, transport in TRANSPORT_PARAMETERS.items():
        if getattr(spec, name) != "auto" and spec.transport != transport:
            raise InvalidInput(
                "unused_parameter",
                f"{name} belongs to transport `{transport}`, and the transport is `{spec.transport}`: leave it out, "
                f"give `auto`, or set transport to `{transport}`.",
                field=f"/method/{name}",
            )
    if spec.transport in _NEEDS_PRIOR and spec.class_prior == "none":
        raise InvalidInput(
            "class_prior_needed",
            f"Transport `{spec.transport}` takes the class prior as the prototypes' marginal: class_prior must be "
            "`auto`, `uniform` or one number above 0 for each class. With `none`, transport may be `conditional` or "
            "`unbalanced`.",
            field="/method/class_prior",
        )


def _check_context(spec: MethodSpec) -> None:
    defaults = {name: MethodSpec.model_fields[name].default for name in ("context", "context_init", "context_length")}
    given = [name for name, default in defaults.items() if getattr(spec, name) != default]
    problem = None
    if given and spec.tune != "prompt":
        problem = given[0], f"context vectors are trained by tune `prompt`, not by `{spec.tune}`; leave {given[0]} out"
    elif spec.context_length != "auto" and spec.context_init == "template":
        problem = "context_length", "the template's words set the number; give context_init `random` to choose it"
    if problem:
        name, message = problem
        raise InvalidInput("invalid_method", f"/method/{name}: {message}.", field=f"/method/{name}")


def _check_prior(prior: list[float], class_count: int) -> None:
    problem = None
    if len(prior) != class_count:
        problem = f"it has {len(prior)} entries for {class_count} classes"
    elif not all(math.isfinite(share) and share >= SMALLEST_SHARE for share in prior):
        problem = f"every entry must be a finite number above 0, at least {SMALLEST_SHARE:g}"
    elif abs(math.fsum(prior) - 1) > PRIOR_TOLERANCE:
        problem = f"its entries sum to {math.fsum(prior):.6g} and must sum to 1"
    if problem:
        raise InvalidInput(
            "invalid_class_prior",
            f"class_prior is wrong: {problem}. Give `auto`, `uniform`, `none` or one number above 0 for each class.",
            field="/method/class_prior",
        )
