"""Predictions: the requests and the documents."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Strict

from app.http.schemas import Closed, Document, ErrorBody
from app.serving.engine import Served
from app.serving.outcomes import ItemError

if TYPE_CHECKING:
    from pouf_core.predictor import Prediction

Variant = Literal["adapted", "zero_shot"]
TopK = Annotated[int, Field(ge=1, le=1000, description="How many classes to list; fewer when there are fewer.")]


class PredictInput(Closed):
    """One thing to classify: base64 of a picture's file, a text, or an embedding."""

    image: Annotated[str | None, Field(description="Base64, with or without a `data:` prefix.")] = None
    text: str | None = None
    text_pair: str | None = None
    embedding: Annotated[
        list[Annotated[float, Strict()]] | None,
        Field(description="A vector as the target data has them; its length does not matter."),
    ] = None
    embedding_base64: Annotated[
        str | None, Field(description="Base64 of such a vector's float32 numbers, little-endian.")
    ] = None


class PredictOptions(Closed):
    """What does not depend on how the inputs are sent."""

    top_k: TopK = 1
    variant: Variant | None = None


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
    label: str | None = None
    class_index: int | None = None
    score: float | None = None
    top_k: list[Ranked] | None = None
    error: ErrorBody | None = None


class PredictionListDocument(Document):
    """The answers in input order."""

    object: Literal["prediction_list"]
    model_id: str
    variant: str
    requested_variant: str
    served_variant: str
    predictions: list[PredictionDocument]


def show_predictions(served: Served) -> PredictionListDocument:
    """Return the document of an answered request."""
    return PredictionListDocument(
        object="prediction_list",
        model_id=served.model_id,
        variant=served.served_variant,
        requested_variant=served.requested_variant,
        served_variant=served.served_variant,
        predictions=[_show_outcome(index, outcome) for index, outcome in enumerate(served.outcomes)],
    )


def _show_outcome(index: int, outcome: "Prediction | ItemError") -> PredictionDocument:
    """Set what there is: fields that are not set are not answered."""
    if isinstance(outcome, ItemError):
        return PredictionDocument(index=index, error=ErrorBody(code=outcome.code, message=outcome.message))
    return PredictionDocument(
        index=index,
        label=outcome.label,
        class_index=outcome.class_index,
        score=outcome.score,
        top_k=[Ranked(label=label, score=score) for label, score in outcome.top_k],
    )
