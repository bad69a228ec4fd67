"""The `method` of an adaptation: what a caller may ask for, and the numbers it resolves to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pouf_core.contract.closed_forms import CandidateEstimate, ClosedFormSettings, ClosedFormTune
from pouf_core.contract.document import Document
from pouf_core.contract.tune_modes import TUNE_MODES, Tune
from pouf_core.errors import InvalidInput, InvalidRequest

Auto = Literal["auto"]
PresetName = Literal["default", "paper"]
MethodType = Literal["pouf", "prior-matching", "zero-shot"]
Selection = Literal["auto", "label_free", "last"]
TransportName = Literal["conditional", "sinkhorn", "emd", "unbalanced", "partial"]
LabelWordBias = Literal["null", "none"]
PriorName = Literal["auto", "uniform", "none"]
PriorSource = Literal["uniform", "none", "given", "estimated"]
Precision = Literal["float32", "bfloat16"]
FallbackRule = Literal["verdict", "never"]
ContextSharing = Literal["shared", "per_class"]
ContextInit = Literal["template", "random"]

NonNegative = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]

TRANSPORT_PARAMETERS: dict[str, TransportName] = {
    "sinkhorn_regularization": "sinkhorn",
    "unbalanced_regularization": "unbalanced",
    "unbalanced_marginal_penalty": "unbalanced",
    "partial_mass": "partial",
}
"""Parameters of `MethodSpec` and `ResolvedMethod` that one transport alone uses."""
BASELINE_SETTINGS = {"prior-matching": {"type", "class_prior", "precision"}, "zero-shot": {"type", "precision"}}
"""What `MethodSpec` holds for the method types that train nothing, beside what language models classify by."""
CLOSED_FORM_SETTINGS = {"type", "tune", "preset", "precision", "fallback", "label_word_bias"}
"""What `MethodSpec` holds for tune modes that train nothing."""
LANGUAGE_SETTINGS = {"label_word_bias"}
"""What `MethodSpec` holds for language models alone."""
DEFAULT_CONTEXT_LENGTH = 4  # as in "a photo of a"
LARGEST_LOGIT_SCALE = math.log(100)  # as CLIP was trained


class MethodSpec(BaseModel):
    """The `method` object of a job, as written by the caller. `auto` takes the preset's value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: MethodType = Field(
        "pouf",
        description="`pouf`: adaptation. `prior-matching`: the base model, its scores re-weighted to the class prior. "
        "`zero-shot`: the base model as it is.",
    )
    tune: Tune = Field(
        "auto",
        description="What is trained. " + " ".join(f"`{mode.name}`: {mode.trains}." for mode in TUNE_MODES.values()),
    )
    preset: PresetName = Field(
        "default", description="`paper`: the published recipe to its last step. `default`: ours."
    )
    transport: TransportName = Field("conditional", description="Transport between target features and prototypes.")
    sinkhorn_regularization: Annotated[float, Field(ge=0.001, le=100, allow_inf_nan=False)] | Auto = Field(
        "auto", description="Entropy weight of `sinkhorn`, 0.001 to 100, in units of the cost 1 - cosine."
    )
    unbalanced_regularization: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)] | Auto = Field(
        "auto", description="Entropy weight of `unbalanced`, 0.01 to 100, in units of the cost 1 - cosine."
    )
    unbalanced_marginal_penalty: Annotated[float, Field(ge=0.01, le=1000, allow_inf_nan=False)] | Auto = Field(
        "auto",
        description="Weight of the penalty on both marginals in `unbalanced`, 0.01 to 1000, in units of the cost "
        "1 - cosine.",
    )
    partial_mass: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | Auto = Field(
        "auto", description="Share of the mass that `partial` moves, above 0, at most 1."
    )
    transport_weight: NonNegative | Auto = Field("auto", description="Weight of the transport cost, 0 to 1000.")
    mutual_information_weight: NonNegative | Auto = Field(
        "auto", description="Weight of H(Y|X) - H(Y), 0 to 1000; the paper uses 0.3."
    )
    class_prior: PriorName | list[float] = Field(
        "auto", description="Expected share of each class: `auto` (estimated), `uniform`, `none`, or K numbers > 0."
    )
    batch_size: Annotated[int, Field(ge=1, le=65536)] | Auto = Field("auto", description="Items in one objective.")
    learning_rate: Rate | Auto = Field("auto", description="Initial learning rate of the trained parameters.")
    max_steps: Annotated[int, Field(ge=0, le=1_000_000)] | Auto = Field("auto", description="Optimiser steps.")
    selection: Selection = Field(
        "auto",
        description="`label_free` chooses among steps, the base model as it is among them; `last` keeps the last step. "
        "`auto`: `last` in preset `paper`, and for encoders of pictures other than `pouf-lite` and embeddings, whose "
        "verdict goes by the estimated gain; else `label_free`.",
    )
    last_n: Annotated[int, Field(ge=1, le=100)] | Auto = Field("auto", description="Blocks that `last_n` trains.")
    anchor_weight: NonNegative | Auto = Field(
        "auto",
        description="For tune `prompt` and `prototypes`: weight of the L2 penalty towards the zero-shot prototypes, "
        "0 to 1000.",
    )
    context: ContextSharing = Field(
        "shared", description="For tune `prompt`: context vectors that all classes share, or some `per_class`."
    )
    context_init: ContextInit = Field(
        "template", description="For tune `prompt`: start from the template's words, or at `random`."
    )
    context_length: Annotated[int, Field(ge=1, le=64)] | Auto = Field(
        "auto", description="For context_init `random`: vectors in a prompt, 1 to 64; `auto` is 4."
    )
    logit_scale_learning_rate: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | Auto = Field(
        "auto", description="Initial learning rate of the logarithm of the logit scale, 0 to 10; 0 keeps it frozen."
    )
    label_word_bias: Auto | LabelWordBias = Field(
        "auto",
        description="For language models: contextual calibration. `null` subtracts from the class logits the bias of "
        "the label words on inputs without content; `none` keeps it. `auto`: `none` in preset `paper`, else `null`.",
    )
    precision: Auto | Precision = Field(
        "auto",
        description="What the encoders compute in, in training and when the model is served. `auto`: `float32` in "
        "preset `paper`; else `bfloat16` on a GPU that has it and `float32` elsewhere.",
    )
    fallback: Auto | FallbackRule = Field(
        "auto",
        description="Whether the zero-shot variant is served in place of the adapted one: where the `verdict` is "
        "`harmful`, or `never`. `auto`: `never` in preset `paper`, else `verdict`.",
    )


RUNTIME = ("threads", "device", "precision")
"""Fields of a resolved method that say where it runs; results depend on them in their last digits."""


class ResolvedMethod(Document):
    """The numbers an adaptation uses, stored with the job and the artifact.

    Attributes:
        class_prior: K shares that sum to 1, or None where no prior enters (`none`).
        class_prior_source: `uniform`, `none`, `given` or `estimated`.
        sinkhorn_regularization, unbalanced_regularization, unbalanced_marginal_penalty, partial_mass: None where the
            transport does not use them.
        projection_learning_rate: of the projections into the shared space, where `tune` trains them.
        logit_scale_learning_rate: 0 keeps the scale frozen.
        logit_scale_limit: largest logarithm of a trained scale (or the pretrained one, where that is larger); None
            for no limit.
        context, context_init: see `MethodSpec`.
        context_length: vectors in a prompt that starts at random, or None where the template's words decide.
        drop_last: leave out the items of an epoch that do not fill its last batch.
        short_batches: otherwise, end an epoch with a smaller batch; False fills it from the next epoch.
        uncorrected_epsilon: AdamW adds its epsilon to the root of the second moment before that is corrected for its
            bias, as transformers' optimiser did, instead of afterwards.
        untied_rows: a language model's head is trained apart from the input embeddings that its rows are tied to.
        gradient_clip: largest norm of the gradient of all trained parameters together; None for no limit.
        schedule: `inverse` multiplies the rate by (1 + 2e-4 t)^-0.75; `cosine` and `linear` fall to zero at the last
            step.
        augmentation: `none`, `flip` (the picture and its mirror image), `mild` (flips and crops of 60-100 % of the
            area), `reference` (flips and crops of 8-100 %), or `words` (the text, and the text with words left out).
        views: fixed augmented versions of each item; 0 draws fresh ones at every step.
        marginal_momentum: weight of earlier batches in the marginal term, 0 for the batch alone.
        selection: `label_free` chooses the step (0 among the candidates), `last` keeps the last one.
        anchor_weight: weight of the L2 penalty towards the zero-shot prototypes; 0 for none.
        prototype_learning_rate: of prototypes that are trained beside what the mode trains; 0 for none.
        label_word_bias: contextual calibration of a language model; None for other base models.
        pseudo_label_weight: weight of the cross-entropy to pseudo-labels, of quality `best`; 0 for none.
        average_weights: whether the weights of the second half of the steps are averaged.
        interpolation: how far the kept weights lie from zero-shot (0) to the trained ones (1).
        micro_batch_size: items encoded at once; halved when memory runs out, without changing the gradient.
        precision, fallback: see `MethodSpec`.
    """

    type: Literal["pouf"]
    tune: Tune
    preset: PresetName
    transport: TransportName
    sinkhorn_regularization: float | None = None
    unbalanced_regularization: float | None = None
    unbalanced_marginal_penalty: float | None = None
    partial_mass: float | None = None
    transport_weight: float
    mutual_information_weight: float
    class_prior: list[float] | None
    class_prior_source: PriorSource
    batch_size: int
    drop_last: bool
    short_batches: bool = False
    max_steps: int
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    projection_learning_rate: float
    logit_scale_learning_rate: float
    logit_scale_limit: float | None
    context: ContextSharing
    context_init: ContextInit
    context_length: int | None
    momentum: float
    weight_decay: float
    gradient_clip: float | None = None
    uncorrected_epsilon: bool = False
    schedule: Literal["inverse", "cosine", "linear"]
    augmentation: Literal["none", "flip", "mild", "reference", "words"]
    views: int
    marginal_momentum: float
    selection: Literal["label_free", "last"]
    last_n: int
    anchor_weight: float = 0.0
    prototype_learning_rate: float = 0.0
    label_word_bias: LabelWordBias | None = None
    untied_rows: bool = False
    pseudo_label_weight: float = 0.0
    average_weights: bool = False
    interpolation: float = 1.0
    micro_batch_size: int
    threads: int
    device: str
    precision: Precision
    fallback: FallbackRule = "verdict"


class ResolvedBaseline(Document):
    """What a method that trains nothing used, stored with the job and the artifact.

    Attributes:
        class_prior: the K shares that `prior-matching` matched, else None.
        class_prior_source: where they came from, as in `ResolvedMethod`; `none` for `zero-shot`.
    """

    type: Literal["prior-matching", "zero-shot"]
    tune: Literal["none"] = "none"
    class_prior: list[float] | None
    class_prior_source: PriorSource
    max_steps: Literal[0] = 0
    threads: int
    device: str
    precision: Precision
    fallback: FallbackRule = "verdict"


class ResolvedClosedForm(Document):
    """What a closed form used, stored with the job and the artifact.

    Attributes:
        tune: the chosen closed form's mode; `none` where zero-shot was kept.
        settings: the chosen one; None where zero-shot was kept.
        candidates: all that were tried, best first, those passed over last.
        item_count: items that they were fitted to, a random sample of the data where it has more.
    """

    type: Literal["closed-form"] = "closed-form"
    tune: ClosedFormTune | Literal["none"]
    settings: ClosedFormSettings | None
    candidates: list[CandidateEstimate]
    item_count: int
    class_prior: None = None
    class_prior_source: Literal["none"] = "none"
    max_steps: Literal[0] = 0
    threads: int
    device: str
    precision: Precision
    fallback: FallbackRule = "verdict"


Resolved = Annotated[ResolvedMethod | ResolvedBaseline | ResolvedClosedForm, Field(discriminator="type")]
"""The numbers that an adaptation used, whatever its method type."""


def parse_method(values: Mapping[str, Any]) -> MethodSpec:
    """A method from plain values.

    Raises:
        InvalidRequest: `invalid_method` for every field at fault.
    """
    try:
        return MethodSpec.model_validate(values)
    except ValidationError as error:
        problems: dict[str, InvalidInput] = {}
        for found in error.errors():  # several of a field that may be one thing or another
            field = "/".join(["/method", *map(str, found["loc"][:1])])
            problem = InvalidInput("invalid_method", f"{field}: {found['msg']}.", field=field)
            problems.setdefault(field, problem)
        raise InvalidRequest(list(problems.values())) from error
