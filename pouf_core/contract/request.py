"""What an adaptation is asked for, and the one check of it, before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pouf_core.contract.abstention import WISHED_ACCURACY, Threshold
from pouf_core.contract.activation import Activation, ActivationChoice
from pouf_core.contract.base_model import BY_MODALITY, DEFAULT_BASE_MODELS, BaseModelDescription, Modality
from pouf_core.contract.classes import ClassName, ClassNames, parse_class_names
from pouf_core.contract.logit_scales import DEFAULT_LOGIT_SCALE
from pouf_core.contract.method import RUNTIME, Auto, MethodSpec, Precision, ResolvedMethod, parse_method
from pouf_core.contract.method_checks import (
    base_problems,
    method_problems,
    quality_problems,
    settled_selection,
    settled_tune,
)
from pouf_core.contract.problems import Problems
from pouf_core.contract.wording import Wording, label_words_for, language_template, templates_for, text_limits_for
from pouf_core.errors import InvalidInput, InvalidRequest

LARGEST_SEED = 2**32 - 1

Quality = Literal["fast", "best"]


class AdaptationRequest(BaseModel):
    """What an adaptation is asked for; `check` says whether a base model can do it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: Annotated[
        str,
        Field(
            max_length=1000,
            description="`auto`: by what the data holds, once that is known: `pouf-lite` for pictures, `minilm` for "
            "texts, `features` for embeddings.",
        ),
    ] = BY_MODALITY
    activation: Annotated[
        ActivationChoice,
        Field(
            description="For an `open_clip:` model: the activation that its weights were trained with. `auto`: what "
            "the pretrained tag or the model directory says; for a file of weights, which does not say, that of the "
            "architecture, with a warning. OpenAI's weights were trained with `quick_gelu`."
        ),
    ] = "auto"
    class_names: ClassNames
    prompt_template: Annotated[
        str | list[str] | None,
        Field(
            description="With `{}` where the class name goes, or several such for an ensemble. Null: the base model's "
            "own, which for pictures is an ensemble where the method trains no text tower. For a language model "
            "with `{text}`, or `{text_a}` and `{text_b}`, and `{mask}`."
        ),
    ] = None
    label_words: Annotated[
        dict[str, str | list[str]] | None,
        Field(
            description="For a language model: class name to the word, or words, that stand for it at the mask. A "
            "class without an entry is its own label word."
        ),
    ] = None
    text_limits: Annotated[
        dict[str, int] | None,
        Field(
            description="For a language model: tokens of a text that are read at most, by `text`, `text_a`, `text_b`. "
            "What is longer is cut at its end."
        ),
    ] = None
    logit_scale: Annotated[
        float | None,
        Field(
            gt=0,
            le=1000,
            allow_inf_nan=False,
            description="For embeddings: what cosines are multiplied by. 100 by default; where a base model makes the "
            "class features, its own.",
        ),
    ] = None
    quality: Annotated[
        Quality,
        Field(
            description="`fast`: what tune `auto` finds in seconds. `best`: the projections are then trained on its "
            "confident classes, which takes minutes; for base models of pictures and sentence encoders, with tune "
            "`auto` and no other setting of training."
        ),
    ] = "fast"
    method: MethodSpec = MethodSpec()
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0
    threshold: Annotated[
        Threshold | None,
        Field(
            description="An item whose largest class probability is below gets no class, unless a prediction asks "
            "otherwise. `auto`: the threshold that the result proposes. Null: every item gets a class."
        ),
    ] = None
    wished_accuracy: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            allow_inf_nan=False,
            description="Share of right answers that the proposed threshold is to reach, as estimated without labels.",
        ),
    ] = WISHED_ACCURACY

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A request from plain values.

        Raises:
            InvalidRequest: `invalid_method` or `invalid_request` for every field at fault.
        """
        problems = Problems()
        given = values.get("method")
        method = given if isinstance(given, MethodSpec) else problems.attempt(lambda: parse_method(given or {}))
        try:
            request = cls.model_validate({**values, "method": method or MethodSpec()})
        except ValidationError as error:
            fields: dict[str, InvalidInput] = {}
            for found in error.errors():  # several of a field that may be one thing or another
                field = "/" + "/".join(map(str, found["loc"][:1]))
                fields.setdefault(field, InvalidInput("invalid_request", f"{field}: {found['msg']}.", field=field))
            raise InvalidRequest([*problems.found, *fields.values()]) from error
        problems.raise_any()
        return request

    def for_modality(self, modality: Modality) -> Self:
        """The request with the base model of a modality where it names none."""
        if self.base_model != BY_MODALITY:
            return self
        return self.model_copy(update={"base_model": DEFAULT_BASE_MODELS[modality]})

    def computed_in(self, precision: Auto | Precision) -> Self:
        """The request with a precision where it names none; preset `paper` has its own."""
        if precision == "auto" or self.method.precision != "auto" or self.method.preset == "paper":
            return self
        return self.model_copy(update={"method": self.method.model_copy(update={"precision": precision})})

    def check(self, base: BaseModelDescription) -> CheckedRequest:
        """Check everything that can be told without the data and the loaded base model.

        Raises:
            InvalidRequest: with every problem found, each with a code and a JSON pointer.
        """
        checked, problems = self.examine(base)
        if checked is None:
            raise InvalidRequest(problems)
        return checked

    def examine(self, base: BaseModelDescription | None) -> tuple[CheckedRequest | None, list[InvalidInput]]:
        """As `check`, with the problems returned; without a base model what can be told without it."""
        problems = Problems()
        classes = problems.attempt(lambda: parse_class_names(self.class_names))
        method = settled_tune(self.method, "image" if base is None else base.kind)
        problems.found += method_problems(method, None if classes is None else len(classes))
        if base is None:
            return None, problems.found
        templates = problems.attempt(lambda: templates_for(base, self.prompt_template, method))
        template = language_template(base, templates) if templates else None
        limits = problems.attempt(lambda: text_limits_for(base, self.text_limits, template))
        problems.found += base_problems(method, base)
        if self.quality == "best":
            problems.found += quality_problems(method, base)
        problems.attempt(lambda: base.check_activation(self.activation))
        words = problems.attempt(lambda: label_words_for(base, self.label_words, classes))
        scale = problems.attempt(lambda: _logit_scale(base, self.logit_scale))
        if classes is None or templates is None or problems.found:
            return None, problems.found
        checked = CheckedRequest(
            base_model=base.name if self.base_model == BY_MODALITY else self.base_model,
            base=base,
            classes=classes,
            wording=Wording(templates, template, words or [], limits or {}),
            method=settled_selection(method, base),
            seed=self.seed,
            activation=self.activation,
            logit_scale=scale,
            threshold=self.threshold,
            wished_accuracy=self.wished_accuracy,
            quality=self.quality,
        )
        return checked, []


def _logit_scale(base: BaseModelDescription, value: float | None) -> float | None:
    """What cosines are multiplied by; None where the base model has a scale of its own."""
    if base.kind != "embedding" and value is not None:
        message = f"{base.name} has a logit scale of its own, and the data is no embeddings; leave logit_scale out."
        raise InvalidInput("logit_scale_not_used", message, field="/logit_scale")
    return DEFAULT_LOGIT_SCALE if value is None and base.takes_class_features else value


@dataclass(frozen=True)
class CheckedRequest:
    """A request that its base model can do, each part parsed.

    Attributes:
        base_model: the base model's name as it was given.
        base: its description.
        classes: K classes.
        wording: templates, label words and limits of texts.
        method: what was asked for; `auto` is resolved when the data is known.
        seed: from 0 to 2^32 - 1.
        activation: what was asked for; see `AdaptationRequest`.
        logit_scale: what the cosines of embeddings are multiplied by; None for the base model's own.
        threshold, wished_accuracy: see `AdaptationRequest`.
        quality: `fast` or `best`.
    """

    base_model: str
    base: BaseModelDescription
    classes: list[ClassName]
    wording: Wording
    method: MethodSpec
    seed: int
    activation: ActivationChoice = "auto"
    logit_scale: float | None = None
    threshold: Threshold | None = None
    wished_accuracy: float = WISHED_ACCURACY
    quality: Quality = "fast"

    def as_request(self) -> AdaptationRequest:
        """The request with everything written out that the base model decides."""
        words = zip(self.classes, self.wording.label_words, strict=bool(self.wording.label_words))
        return AdaptationRequest(
            base_model=self.base_model,
            activation=self.activation,
            class_names=[item.model_dump() if item.prompt else item.name for item in self.classes],
            prompt_template=self.wording.templates,
            label_words={item.name: list(own) for item, own in words} or None,
            text_limits=self.wording.text_limits or None,
            logit_scale=self.logit_scale,
            quality=self.quality,
            method=self.method,
            seed=self.seed,
            threshold=self.threshold,
            wished_accuracy=self.wished_accuracy,
        )

    def identity(
        self,
        data_fingerprint: str,
        base_sha256: str,
        method: ResolvedMethod,
        activation: Activation | None = None,
    ) -> str:
        """SHA-256 (hex) of everything that the trained weights depend on.

        Of the method, what was asked for and where it runs: what `auto` became is kept in the checkpoint, since the
        last digits of an estimate may differ on another machine.

        Args:
            data_fingerprint: of the target data.
            base_sha256: of the base model's weights.
            method: the resolved method.
            activation: the one that the base model computes with, where it leaves a choice.
        """
        parts: dict[str, object] = {
            "data": data_fingerprint,
            "classes": [item.model_dump() for item in self.classes],
            "templates": self.wording.templates,
            "base": base_sha256,
            "method": self.method.model_dump(),
            "runtime": method.model_dump(include=set(RUNTIME)),
            "seed": self.seed,
        }
        if activation is not None:
            parts["activation"] = activation
        if self.quality != "fast":
            parts["quality"] = self.quality
        if self.wording.label_words:
            parts["label_words"] = self.wording.label_words
        if self.wording.text_limits:
            parts["text_limits"] = self.wording.text_limits
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
