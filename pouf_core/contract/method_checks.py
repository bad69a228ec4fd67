"""Settings of a method that contradict each other, the data or the number of classes."""

from __future__ import annotations

import math

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.counts import counted
from pouf_core.contract.method import (
    BASELINE_SETTINGS,
    CLOSED_FORM_SETTINGS,
    LANGUAGE_SETTINGS,
    TRANSPORT_PARAMETERS,
    MethodSpec,
)
from pouf_core.contract.tune_modes import MODE_SETTINGS, TUNE_MODES, ModelKind, modes_using
from pouf_core.errors import InvalidInput

PRIOR_TOLERANCE = 1e-4
SMALLEST_SHARE = 1e-12
_CONTEXT_SETTINGS = ("context", "context_init", "context_length")
_NEEDS_PRIOR = ("sinkhorn", "emd", "partial")
_EARLIER_DEFAULTS = {"tune": "prompt"}
"""What requests that were stored before another default hold for a setting that nobody gave."""


def method_problems(spec: MethodSpec, class_count: int | None) -> list[InvalidInput]:
    """Settings that contradict each other or the number of classes, each with the field at fault.

    The codes are `invalid_class_prior`, `class_prior_needed`, `unused_parameter`, `batch_too_small`, `invalid_method`.

    Args:
        spec: what the caller asked for.
        class_count: None where the class names are wrong; the length of a class prior is then not checked.
    """
    problems = [
        *(_baseline_problems(spec) if spec.type in BASELINE_SETTINGS else []),
        *(_closed_form_problems(spec) if TUNE_MODES[spec.tune].learner == "closed_form" else _mode_problems(spec)),
        *_context_problems(spec),
        *(_prior_problems(spec.class_prior, class_count) if isinstance(spec.class_prior, list) else []),
        *_transport_problems(spec),
        *_selection_problems(spec),
    ]
    too_small = batch_problem(spec, 1, "/method/batch_size") if spec.batch_size == 1 else None
    if too_small is not None:
        problems.append(too_small)
    first_of_each = {problem.field: problem for problem in reversed(problems)}
    return [problem for problem in problems if first_of_each[problem.field] is problem]


def base_problems(spec: MethodSpec, base: BaseModelDescription) -> list[InvalidInput]:
    """Settings that a base model does not have: `unsupported_tune`, or `unused_parameter`."""
    problems = _tune_problems(spec, base)
    given = _given(spec)
    return problems + [
        _unused(name, f"{base.name} does not use {name}: {reason}. Leave it out.")
        for name, reason in base.unused_settings.items()
        if name in given
    ]


def quality_problems(spec: MethodSpec, base: BaseModelDescription) -> list[InvalidInput]:
    """Why quality `best` has nothing to train: `quality_not_available`.

    Args:
        spec: what the caller asked for, tune settled.
        base: the base model.
    """
    if base.kind not in TUNE_MODES["head"].kinds:
        reason = f"it trains projections of a base model of pictures or sentences, and {base.name} has none to train"
    elif spec.type in BASELINE_SETTINGS or spec.preset == "paper" or spec.tune != "auto":
        reason = "it goes with tune `auto` and no setting of training, and the method says what is trained"
    else:
        return []
    return [InvalidInput("quality_not_available", f"Quality `best`: {reason}. Leave it out.", field="/quality")]


def _tune_problems(spec: MethodSpec, base: BaseModelDescription) -> list[InvalidInput]:
    if spec.type in BASELINE_SETTINGS or spec.tune in base.tune_modes:
        return []
    message = f"{base.name} can be tuned by: {', '.join(base.tune_modes)}."
    return [InvalidInput("unsupported_tune", message, field="/method/tune")]


def check_batch(spec: MethodSpec, batch_size: int, field: str) -> None:
    """Refuse a batch of one item where no running marginal tells what the other items are like.

    Args:
        spec: what the caller asked for.
        batch_size: items in a batch.
        field: the field that made it so.

    Raises:
        InvalidInput: `batch_too_small`.
    """
    problem = batch_problem(spec, batch_size, field)
    if problem is not None:
        raise problem


def batch_problem(spec: MethodSpec, batch_size: int, field: str) -> InvalidInput | None:
    """As `check_batch`, with the problem returned."""
    if batch_size >= 2 or (spec.preset != "paper" and spec.class_prior != "none"):
        return None
    where = "preset `paper`" if spec.preset == "paper" else "class_prior `none`"
    return InvalidInput(
        "batch_too_small",
        f"A batch of 1 needs a running marginal, which {where} does without: at least 2 items and a batch_size of at "
        "least 2, or preset `default` with a class prior.",
        field=field,
    )


def _given(spec: MethodSpec) -> list[str]:
    """The settings that are not at their defaults."""
    return [name for name, field in MethodSpec.model_fields.items() if getattr(spec, name) != field.default]


def _given_beyond(spec: MethodSpec, used: set[str]) -> list[str]:
    """The settings that ask for something beside those that are used."""
    return [name for name in _given(spec) if name not in used and getattr(spec, name) != "auto"]


def _unused(name: str, message: str) -> InvalidInput:
    return InvalidInput("unused_parameter", message, field=f"/method/{name}")


def _baseline_problems(spec: MethodSpec) -> list[InvalidInput]:
    used = BASELINE_SETTINGS[spec.type] | LANGUAGE_SETTINGS
    problems = [
        _unused(
            name,
            f"Method type `{spec.type}` trains nothing and does not use {name}: leave it out, or set type to `pouf`.",
        )
        for name in _given_beyond(spec, used)
        if getattr(spec, name) != _EARLIER_DEFAULTS.get(name)
    ]
    if spec.type == "prior-matching" and spec.class_prior == "none":
        message = "Prior matching needs a class prior: `auto`, `uniform` or one number above 0 for each class."
        problems.append(InvalidInput("class_prior_needed", message, field="/method/class_prior"))
    return problems


def settled_tune(spec: MethodSpec, kind: ModelKind) -> MethodSpec:
    """The method with tune `auto` settled where it means training: in preset `paper`, for language models, and where a
    setting of training is given."""
    if spec.type in BASELINE_SETTINGS or spec.tune != "auto":
        return spec
    if spec.preset != "paper" and kind != "language" and not _given_beyond(spec, CLOSED_FORM_SETTINGS):
        return spec
    return spec.model_copy(update={"tune": "prototypes" if kind == "embedding" else "prompt"})


def trains_text_tower(spec: MethodSpec) -> bool:
    """Whether the method as asked for sends prompts through the text tower at every step."""
    if spec.type in BASELINE_SETTINGS:
        return False
    return TUNE_MODES[spec.tune].learner not in ("closed_form", "prototypes") or spec.preset == "paper"


def settled_selection(spec: MethodSpec, base: BaseModelDescription) -> MethodSpec:
    """The method with selection `auto` settled as `last` where no step can be chosen by the checks of training."""
    trains = spec.type not in BASELINE_SETTINGS and TUNE_MODES[spec.tune].learner != "closed_form"
    if not (trains and base.judged_by_gain and spec.selection == "auto"):
        return spec
    return spec.model_copy(update={"selection": "last"})


def _closed_form_problems(spec: MethodSpec) -> list[InvalidInput]:
    """Settings of training; with `auto` they mean that something is trained."""
    if spec.type in BASELINE_SETTINGS or spec.tune == "auto":
        return []
    problems = [
        _unused(name, f"Tune `{spec.tune}` trains nothing and does not use {name}: leave it out, or tune `prompt`.")
        for name in _given_beyond(spec, CLOSED_FORM_SETTINGS)
    ]
    if spec.preset == "paper":
        message = f"Preset `paper` has no tune `{spec.tune}`: leave one of them out."
        problems.append(InvalidInput("invalid_method", message, field="/method/preset"))
    return problems


def _selection_problems(spec: MethodSpec) -> list[InvalidInput]:
    if spec.preset != "paper" or spec.selection != "label_free":
        return []
    message = "Preset `paper` goes to its last step: selection must be `auto` or `last`, or the preset `default`."
    return [InvalidInput("invalid_method", message, field="/method/selection")]


def _mode_problems(spec: MethodSpec) -> list[InvalidInput]:
    """Settings of other tune modes than the one that is asked for."""
    unused = MODE_SETTINGS - TUNE_MODES[spec.tune].settings
    return [_of_other_modes(spec, name) for name in _given(spec) if name in unused]


def _of_other_modes(spec: MethodSpec, name: str) -> InvalidInput:
    modes = ", ".join(f"`{mode}`" for mode in modes_using(name))
    message = f"{name} belongs to tune {modes}, and tune is `{spec.tune}`: leave it out, or set another tune."
    code = "invalid_method" if name in _CONTEXT_SETTINGS else "unused_parameter"
    return InvalidInput(code, message, field=f"/method/{name}")


def _transport_problems(spec: MethodSpec) -> list[InvalidInput]:
    problems = [
        _unused(
            name,
            f"{name} belongs to transport `{transport}`, and the transport is `{spec.transport}`: leave it out, "
            f"give `auto`, or set transport to `{transport}`.",
        )
        for name, transport in TRANSPORT_PARAMETERS.items()
        if getattr(spec, name) != "auto" and spec.transport != transport
    ]
    if spec.transport in _NEEDS_PRIOR and spec.class_prior == "none":
        message = (
            f"Transport `{spec.transport}` takes the class prior as the prototypes' marginal: class_prior must be "
            "`auto`, `uniform` or one number above 0 for each class. With `none`, transport may be `conditional` or "
            "`unbalanced`."
        )
        problems.append(InvalidInput("class_prior_needed", message, field="/method/class_prior"))
    return problems


def _context_problems(spec: MethodSpec) -> list[InvalidInput]:
    if spec.tune != "prompt" or spec.context_length == "auto" or spec.context_init != "template":
        return []
    message = "context_length is not used: the template's words set it. Give context_init `random` to choose it."
    return [InvalidInput("invalid_method", message, field="/method/context_length")]


def _prior_problems(prior: list[float], class_count: int | None) -> list[InvalidInput]:
    problem = None
    if class_count is not None and len(prior) != class_count:
        problem = f"it has {counted(len(prior), 'entry', 'entries')} for {counted(class_count, 'class')}"
    elif not all(math.isfinite(share) and share >= SMALLEST_SHARE for share in prior):
        problem = f"every entry must be a finite number above 0, at least {SMALLEST_SHARE:g}"
    elif abs(sum(prior) - 1) > PRIOR_TOLERANCE:  # not `fsum`, which raises where a sum is infinite
        problem = f"its entries sum to {sum(prior):.6g} and must sum to 1"
    if problem is None:
        return []
    message = f"class_prior is wrong: {problem}. Give `auto`, `uniform`, `none` or one number above 0 for each class."
    return [InvalidInput("invalid_class_prior", message, field="/method/class_prior")]
