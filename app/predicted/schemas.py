"""Predictions of a dataset's items: the query and the documents."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from app.http.answers import Answers, conditional
from app.http.query_parameters import NumbersQuery
from app.http.schemas import Document, ListDocument

FormatName = Literal["json", "csv", "jsonl", "parquet", "label_studio", "huggingface"]
Action = Literal["accept", "review"]


class PredictionsQuery(NumbersQuery):
    """Which predictions, in which order and format."""

    format: Annotated[
        FormatName,
        Field(description="`json` answers a page, which `limit` and `cursor` are about; all others answer everything."),
    ] = "json"
    changed: Annotated[
        bool | None, Field(description="Those whose class is another than the base model's own, or the others.")
    ] = None
    below: Annotated[
        float | None, Field(ge=0, le=1, allow_inf_nan=False, description="Those with a smaller probability.")
    ] = None
    label: Annotated[str | None, Field(description="Those whose most probable class is this one.")] = None
    sort: Annotated[
        Literal["dataset", "margin"],
        Field(description="`dataset`: as the items are listed. `margin`: those first whose runner-up is closest."),
    ] = "dataset"
    raw: Annotated[
        bool,
        Field(
            description="In CSV, cells that a spreadsheet would take for a formula begin with an apostrophe, unless "
            "this is true."
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class PredictedItem:
    """What is served for one item, and where it stands in the order that was asked for.

    `label` is None below the threshold; of `text` and `text_pair` pages hold the beginning.
    """

    position: int
    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    label: str | None
    probability: float
    runner_up: str
    runner_up_probability: float
    margin: float
    zero_shot_label: str
    changed: bool
    action: Action


class PredictedItemDocument(Document):
    """What is served for one item of a dataset."""

    object: Literal["item_prediction"]
    name: str
    sha256: str
    text: Annotated[str | None, Field(description="Of a long text, the beginning. Null of pictures and embeddings.")]
    text_pair: str | None
    label: Annotated[str | None, Field(description="Null where the probability is below the threshold.")]
    probability: Annotated[float, Field(description="Of the most probable class.")]
    runner_up: Annotated[str, Field(description="The second most probable class.")]
    runner_up_probability: float
    margin: Annotated[float, Field(description="The probability minus that of the runner-up.")]
    zero_shot_label: Annotated[str, Field(description="The base model's own class.")]
    changed: Annotated[bool, Field(description="Whether the most probable class is another than that.")]
    action: Annotated[
        Action,
        Field(
            description="`review` below the threshold that the job was created with, else the one that it proposed; "
            "of all items where none is expected to reach the wished accuracy."
        ),
    ]


_TEXT = {"schema": {"type": "string"}}
_FILES = ("text/csv", "application/jsonl", "application/vnd.apache.parquet")
_PAGES = conditional(ListDocument[PredictedItemDocument])
#: What the routes that answer predictions say of their answers.
PREDICTIONS: Answers = {**_PAGES, 200: {**_PAGES[200], "content": dict.fromkeys(_FILES, _TEXT)}}


def show_prediction(item: PredictedItem) -> PredictedItemDocument:
    """Return the document of one item."""
    return PredictedItemDocument(
        object="item_prediction",
        name=item.name,
        sha256=item.sha256,
        text=item.text,
        text_pair=item.text_pair,
        label=item.label,
        probability=item.probability,
        runner_up=item.runner_up,
        runner_up_probability=item.runner_up_probability,
        margin=item.margin,
        zero_shot_label=item.zero_shot_label,
        changed=item.changed,
        action=item.action,
    )
