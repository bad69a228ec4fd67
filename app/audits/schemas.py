"""Audits: the requests and the documents."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.http.query_parameters import NumbersQuery, PageQuery
from app.http.schemas import NAME, Closed, Document
from pouf_core.audit.votes import Outcome
from pouf_core.contract.abstention import VariantName
from pouf_core.contract.audit import AuditVerdict, Measured, MeasuredThreshold, Part
from pouf_core.contract.document import STORED

MOST_ITEMS = 1000
#: In one request.
MOST_ANSWERS = 50 * MOST_ITEMS
ANONYMOUS = "anonymous"
NoClass = Literal["none_of_these", "cant_tell"]


class AuditCreate(Closed):
    """An audit to draw."""

    size: Annotated[int, Field(ge=1, le=MOST_ITEMS, description="How many items people are to look at.")]
    suspected: Annotated[
        int | None,
        Field(
            ge=0,
            le=MOST_ITEMS,
            description="How many of them are chosen among the items that are most likely wrong; a fifth by default. "
            "Where all are, nothing is estimated.",
        ),
    ] = None
    seed: Annotated[
        int | None, Field(ge=0, lt=2**31, description="The same draws the same items; chosen at random by default.")
    ] = None
    wished_accuracy: Annotated[
        float | None, Field(gt=0, le=1, allow_inf_nan=False, description="By default that of the job.")
    ] = None


class AuditConfirm(Closed):
    """What of a proposal is to be applied beside verdict and served variant."""

    threshold: Annotated[
        bool, Field(description="Let the model give no class to inputs below the proposed threshold.")
    ] = False


class AnswerGiven(Closed):
    """What somebody says of an item."""

    item: Annotated[str, Field(min_length=1, max_length=4096, description="`sha256` of a drawn item, or its name.")]
    label: Annotated[str | None, Field(max_length=4096, description="The name of a class.")] = None
    answer: Annotated[NoClass | None, Field(description="In place of a label.")] = None
    person: NAME | None = None

    @model_validator(mode="after")
    def _is_one_answer(self) -> "AnswerGiven":
        if (self.label is None) == (self.answer is None):
            raise ValueError("Give either `label` or `answer`.")
        return self


class AnswersPut(Closed):
    """Answers, from whoever `person` is, where an answer does not say."""

    answers: Annotated[list[AnswerGiven], Field(min_length=1, max_length=MOST_ANSWERS)]
    person: NAME = ANONYMOUS


class AnswersQuery(NumbersQuery):
    """A page of answers, or all of them as a file."""

    format: Literal["json", "csv"] = "json"


class AuditListQuery(PageQuery):
    """A page of audits."""


class AuditItemDocument(Document):
    """A drawn item: what was predicted when it was drawn, and what people say."""

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    thumbnail_url: str | None
    label: Annotated[str, Field(description="The class by the variant that was served.")]
    probability: float
    runner_up: str
    runner_up_probability: float
    zero_shot_label: str
    adapted_label: str
    changed: bool
    part: Part
    inclusion_probability: float
    status: Outcome
    answer: Annotated[str | None, Field(description="The class that people agree on.")]


class ClassEstimateDocument(Measured, Document):
    """Of the items that were given one class, the share that is right."""

    label: str


class AuditEstimateDocument(Document):
    """What the answers say of all items of the dataset; intervals are of 90 %."""

    answers: int
    zero_shot: Measured
    adapted: Measured
    difference: Measured
    classes: list[ClassEstimateDocument]
    wished_accuracy: float
    threshold: MeasuredThreshold | None
    more_answers: int | None


class ProposalDocument(Document):
    """What the answers propose; `differs` tells whether it is other than what holds now."""

    verdict: AuditVerdict
    served_variant: VariantName
    threshold: float | None
    differs: bool


class AppliedDocument(Document):
    """What was confirmed; `threshold` is null where that of the model was left as it was."""

    model_config = STORED

    verdict: AuditVerdict
    served_variant: VariantName
    threshold: float | None
    answers: int
    applied_at: datetime


class AuditSummaryDocument(Document):
    """An audit in a list: without its items."""

    object: Literal["audit"]
    id: str
    job_id: str
    dataset_id: str
    size: int
    seed: int
    wished_accuracy: float
    served_variant: Annotated[VariantName, Field(description="That was served when the items were drawn.")]
    counts: Annotated[dict[Outcome, int], Field(description="Items by what people say of them.")]
    people: int
    estimate: AuditEstimateDocument | None
    proposal: ProposalDocument | None
    applied: AppliedDocument | None
    created_at: datetime
    urls: dict[str, str]


class AuditDocument(AuditSummaryDocument):
    """An audit."""

    items: list[AuditItemDocument]


class AnswerDocument(Document):
    """What somebody said of an item; of a person's answers to one the last `counts`."""

    object: Literal["audit_answer"]
    sha256: str
    name: str
    label: str | None
    answer: NoClass | None
    person: str
    counts: bool
    created_at: datetime
