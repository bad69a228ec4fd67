"""Comparisons of jobs: the query and the documents."""

from typing import Annotated, Literal

from pydantic import Field

from app.http.query_parameters import PageQuery
from app.http.schemas import DELETED, Document
from pouf_core.contract.audit import Measured


class ComparisonQuery(PageQuery):
    """Which jobs to compare, and which part of the items on which they differ to answer."""

    jobs: Annotated[str, Field(max_length=200, description="The ids of two jobs over one dataset, with a comma.")]


class ComparedJobDocument(Document):
    """A compared job, with its accuracy on the labelled items and the 95 % Wilson interval of that, where any are."""

    id: str
    model_id: str | None
    model_deleted: DELETED
    accuracy: float | None
    interval: tuple[float, float] | None


class ComparisonByAnswersDocument(Document):
    """What people's answers to an audit of one of the jobs say of both; intervals are of 90 %."""

    audit_id: str
    answers: Annotated[int, Field(description="Drawn items with an answer that could be used.")]
    accuracies: Annotated[
        tuple[Measured, Measured], Field(description="Over all items of the dataset, in the order of the jobs.")
    ]
    difference: Annotated[Measured, Field(description="Accuracy of the second less that of the first.")]


class ComparedLabelDocument(Document):
    """The most probable class by one of the jobs."""

    label: str
    probability: float


class DifferingItemDocument(Document):
    """An item of which the jobs say different classes; `predictions` are in the order of the jobs."""

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    predictions: list[ComparedLabelDocument]


class JobComparisonDocument(Document):
    """Two jobs over one dataset."""

    object: Literal["job_comparison"]
    dataset_id: str
    item_count: int
    agreement: Annotated[float, Field(description="Share of the items of which both say the same class.")]
    differing_count: int
    labelled_count: Annotated[int, Field(description="Items with an evaluation label that is a class of both.")]
    jobs: list[ComparedJobDocument]
    difference: Annotated[float | None, Field(description="Accuracy of the second less that of the first.")]
    difference_interval: Annotated[
        tuple[float, float] | None, Field(description="Of 95 %, by the same items under both jobs.")
    ]
    by_answers: ComparisonByAnswersDocument | None
    differing: Annotated[
        list[DifferingItemDocument], Field(description="A page of them, those first of which both jobs are surest.")
    ]
    has_more: bool
    next_cursor: str | None
