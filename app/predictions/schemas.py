"""Predictions: the requests and the documents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict, field_validator, model_validator

from app.http.schemas import Closed, Document, ErrorBody, refuse_unstorable_text
from app.serving.engine import Served
from app.serving.outcomes import ItemError
from pouf_core.contract.abstention import Threshold

if TYPE_CHECKING:
    from pouf_core.predictor import Prediction

Variant = Literal["adapted", "zero_shot"]
TopK = Annotated[int, Field(ge=1, le=1000, description="How many classes to list; fewer when there are fewer.")]


def _up_to_the_first_that_is_no_number(value: object) -> object:
    """Make one error of however many members are at fault."""
    if not isinstance(value, list) or set(map(type, value)) <= {float, int}:
        return value
    first = next(index for index, member in enumerate(value) if type(member) not in (float, int))
    return value[: first + 1]


class PredictInput(Closed):
    """One thing to classify: base64 of a picture's file, a text, or an embedding.

    A string stands for a text.
    """

    name: Annotated[
        str | None, Field(max_length=1024, description="Comes back with the prediction, such as the file's name.")
    ] = None
    image: Annotated[str | None, Field(description="Base64, with or without a `data:` prefix.")] = None
    text: str | None = None
    text_pair: str | None = None
    embedding: Annotated[
        list[Annotated[float, Strict()]] | None,
        BeforeValidator(_up_to_the_first_that_is_no_number),
        Field(description="A vector as the target data has them; its length does not matter."),
    ] = None
    embedding_base64: Annotated[
        str | None, Field(description="Base64 of such a vector's float32 numbers, little-endian.")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _take_text(cls, values: object) -> object:
        return {"text": values} if isinstance(values, str) else values

    @field_validator("name")
    @classmethod
    def _refuse_unstorable_text(cls, value: object) -> object:
        """Check the name alone, in place of every field: what is to be classified is refused alone, when decoded."""
        return refuse_unstorable_text(value)


class PredictOptions(Closed):
    """What does not depend on how the inputs are sent."""

    top_k: TopK = 1
    variant: Variant | None = None
    threshold: Annotated[
        Threshold | None,
        Field(
            description="An input whose largest class probability is below gets no class: its `label` is null. `auto`: "
            "the threshold that the model's job proposed. Null: the one that the job was created with, if any."
        ),
    ] = None


class PredictBody(PredictOptions):
    """The JSON request."""

    inputs: list[PredictInput]


class NamedPredictBody(PredictBody):
    """The JSON request of `/predict`, which names the model."""

    model: Annotated[str, Field(max_length=64, description="Id or alias of an adapted model.")]


class NamedPredictOptions(PredictOptions):
    """The form fields of `/predict`."""

    model: Annotated[str, Field(max_length=64)]


class Ranked(Document):
    """A class and its probability."""

    label: str
    score: float


class PredictionDocument(Document):
    """The answer for one input: a prediction, or an error."""

    index: int
    name: Annotated[str | None, Field(description="What the input was called, where it had a name.")] = None
    label: Annotated[str | None, Field(description="Null where the score is below the threshold.")] = None
    class_index: int | None = None
    score: Annotated[float | None, Field(description="The largest class probability.")] = None
    none_score: Annotated[
        float | None,
        Field(
            description='Score for "none of these": the share of the items adapted to that are more like their class. '
            "Null of models made before there was one."
        ),
    ] = None
    top_k: list[Ranked] | None = None
    error: ErrorBody | None = None


class PredictionListDocument(Document):
    """The answers in input order."""

    object: Literal["prediction_list"]
    model_id: str
    variant: str
    requested_variant: str
    served_variant: str
    threshold: Annotated[float, Field(description="Inputs below it got no label; 0: all got one.")]
    predictions: list[PredictionDocument]


def show_predictions(served: Served, names: Sequence[str | None]) -> PredictionListDocument:
    """Return the document of an answered request whose inputs have these names."""
    return PredictionListDocument(
        object="prediction_list",
        model_id=served.model_id,
        variant=served.served_variant,
        requested_variant=served.requested_variant,
        served_variant=served.served_variant,
        threshold=served.threshold,
        predictions=[
            _show_outcome(_place(index, name), outcome)
            for index, (name, outcome) in enumerate(zip(names, served.outcomes, strict=True))
        ],
    )


def _place(index: int, name: str | None) -> dict[str, Any]:
    return {"index": index} if name is None else {"index": index, "name": name}


def _show_outcome(place: dict[str, Any], outcome: "Prediction | ItemError") -> PredictionDocument:
    """Set what there is: fields that are not set are not answered."""
    if isinstance(outcome, ItemError):
        return PredictionDocument(**place, error=ErrorBody(code=outcome.code, message=outcome.message))
    return PredictionDocument(
        **place,
        label=outcome.label,
        class_index=outcome.class_index,
        score=outcome.score,
        none_score=outcome.none_score,
        top_k=[Ranked(label=label, score=score) for label, score in outcome.top_k],
    )
