"""The `method` of an adaptation: what a caller may ask for, and the numbers it resolves to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pouf_core.errors import InvalidInput

Auto = Literal["auto"]
Tune = Literal["prompt", "head", "last_n", "norm", "model"]
Preset = Literal["default", "paper"]
MethodType = Literal["pouf", "prior-matching", "zero-shot"]
Transport = Literal["conditional"]
PriorName = Literal["auto", "uniform", "none"]

NonNegative = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]

PRIOR_TOLERANCE = 1e-4


class MethodSpec(BaseModel):
    """The `method` object of a job, as written by the caller. `auto` takes the preset's value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: MethodType = Field("pouf", description="The adaptation method.")
    tune: Tune = Field("prompt", description="What is trained.")
    preset: Preset = Field("default", description="`paper`: the published recipe to its last step. `default`: ours.")
    transport: Transport = Field("conditional", description="Transport between target features and prototypes.")
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
    last_n: Annotated[int, Field(ge=1, le=100)] | Auto = Field("auto", description="Blocks that `last_n` trains.")


class ResolvedMethod(BaseModel):
    """The numbers an adaptation uses, stored with the job and the artifact.

    Attributes:
        class_prior: K shares that sum to 1, or None where no prior enters (`none`).
        class_prior_source: `uniform`, `none`, `given` or `estimated`.
        projection_learning_rate: of the projections into the shared space, where `tune` trains them.
        logit_scale_learning_rate: 0 keeps the scale frozen.
        schedule: `inverse` multiplies the rate by (1 + 2e-4 t)^-0.75; `cosine` falls to zero at the last step.
        augmentation: `none`, `flip` (the picture and its mirror image), `mild` (flips and crops of 60-100 % of the
            area) or `reference` (flips and crops of 8-100 %).
        views: fixed augmented versions of each item; 0 draws fresh ones at every step.
        marginal_momentum: weight of earlier batches in the marginal term, 0 for the batch alone.
        select_step: whether a step is chosen without labels (step 0 among the candidates) or the last one is kept.
        micro_batch_size: items encoded at once; halved when memory runs out, without changing the gradient.
    """

    model_config = ConfigDict(extra="forbid")

    type: MethodType
    tune: Tune
    preset: Preset
    transport: Transport
    transport_weight: float
    mutual_information_weight: float
    class_prior: list[float] | None
    class_prior_source: Literal["uniform", "none", "given", "estimated"]
    batch_size: int
    drop_last: bool
    max_steps: int
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    projection_learning_rate: float
    logit_scale_learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Literal["inverse", "cosine"]
    augmentation: Literal["none", "flip", "mild", "reference"]
    views: int
    marginal_momentum: float
    select_step: bool
    last_n: int
    micro_batch_size: int
    threads: int
    device: str
    precision: Literal["float32", "bfloat16"]


def parse_method(values: Mapping[str, Any]) -> MethodSpec:
    """A method from plain values.

    Raises:
        InvalidInput: `invalid_method`, with the field at fault.
    """
    try:
        return MethodSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = "/".join(["/method", *map(str, first["loc"][:1])])
        raise InvalidInput("invalid_method", f"{field}: {first['msg']}.", field=field) from error


def check_method(spec: MethodSpec, class_count: int) -> None:
    """Refuse settings that contradict each other or the number of classes.

    Raises:
        InvalidInput: `invalid_class_prior` or `batch_too_small`, with the field at fault.
    """
    if isinstance(spec.class_prior, list):
        _check_prior(spec.class_prior, class_count)
    if spec.batch_size == 1 and spec.preset == "paper":
        raise InvalidInput(
            "batch_too_small",
            "A batch of 1 has no mutual information; preset `paper` needs a batch_size of at least 2.",
            field="/method/batch_size",
        )


def _check_prior(prior: list[float], class_count: int) -> None:
    problem = None
    if len(prior) != class_count:
        problem = f"it has {len(prior)} entries for {class_count} classes"
    elif not all(math.isfinite(share) and share > 0 for share in prior):
        problem = "every entry must be a finite number above 0"
    elif abs(math.fsum(prior) - 1) > PRIOR_TOLERANCE:
        problem = f"its entries sum to {math.fsum(prior):.6g} and must sum to 1"
    if problem:
        raise InvalidInput(
            "invalid_class_prior",
            f"class_prior is wrong: {problem}. Give `auto`, `uniform`, `none` or one number above 0 for each class.",
            field="/method/class_prior",
        )
