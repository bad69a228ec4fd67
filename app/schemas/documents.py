"""What answers look like, for the OpenAPI document and for those who read it; the `show_*` functions make them."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from app.schemas.common import Closed
from app.schemas.datasets import DATASET_STATUS
from app.schemas.jobs import JOB_STATUS
from pouf_core.trust.verdict import Fallback, Verdict

Document = TypeVar("Document")


class ListDocument(Closed, Generic[Document]):
    """One page of a list."""

    object: Literal["list"]
    data: list[Document]
    has_more: bool
    next_cursor: str | None


class ErrorBody(Closed):
    """Why something failed."""

    code: str
    message: str


class Note(Closed):
    """A finding: `code` for programs, `message` for people."""

    code: str
    message: str


class DatasetDocument(Closed):
    """Target data."""

    object: Literal["dataset"]
    id: str
    name: str | None
    metadata: dict[str, str]
    modality: Literal["image", "text", "auto"]
    text_pairs: bool
    text_column: str | None
    label_column: str | None
    status: DATASET_STATUS
    upload_count: int
    upload_bytes: int
    item_count: int
    duplicate_count: int
    rejected_count: int
    labelled_count: int
    fingerprint: str | None
    suggested_class_names: list[str] | None
    error: ErrorBody | None
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    urls: dict[str, str]


class DatasetItemDocument(Closed):
    """A file that ingestion found."""

    object: Literal["dataset_item"]
    name: str
    sha256: str | None
    size: int | None
    status: Literal["accepted", "duplicate", "rejected"]
    code: str | None
    message: str | None


class DatasetFileDocument(Closed):
    """A file as it was uploaded."""

    object: Literal["dataset_file"]
    filename: str
    sha256: str
    size: int
    created_at: datetime


class StatusTransition(Closed):
    """A change of a job's status or stage."""

    status: JOB_STATUS
    stage: str | None
    at: datetime


class ProgressDocument(Closed):
    """How far the job's present stage is."""

    step: int
    total_steps: int | None
    fraction: float | None
    eta_at: datetime | None


class JobDocument(Closed):
    """An adaptation job."""

    object: Literal["job"]
    id: str
    name: str | None
    metadata: dict[str, str]
    status: JOB_STATUS
    stage: str | None
    status_transitions: list[StatusTransition]
    progress: ProgressDocument
    queue_position: int | None
    attempt: int
    dataset_id: str
    base_model: str
    class_names: list[Any]
    prompt_template: list[str]
    label_words: dict[str, list[str]] | None
    text_limits: dict[str, int] | None
    method: dict[str, Any]
    seed: int
    alias: str | None
    latest_metrics: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    verdict: Verdict | None
    verdict_reasons: list[Note]
    fallback: Fallback | None
    selected_step: int | None
    estimate: dict[str, Any] | None
    model_id: str | None
    error: ErrorBody | None
    warnings: list[Note]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    urls: dict[str, str]


class EventDocument(Closed):
    """Something that happened to a job."""

    object: Literal["event"]
    id: str
    seq: int
    type: str
    data: dict[str, Any]
    created_at: datetime


class MetricDocument(BaseModel):
    """The numbers of one optimiser step; which ones, beside these, depends on the method."""

    model_config = ConfigDict(extra="allow")

    step: int
    created_at: datetime


class ModelDocument(Closed):
    """An adapted model."""

    object: Literal["model"]
    id: str
    name: str | None
    metadata: dict[str, str]
    job_id: str
    base_model: str
    tune: str
    method: dict[str, Any]
    class_names: list[Any]
    prompt_template: list[str]
    label_words: dict[str, list[str]] | None
    size_bytes: int
    fingerprint: str
    evaluation: dict[str, Any] | None
    verdict: Verdict | None
    verdict_reasons: list[Note]
    fallback: Fallback | None
    selected_step: int | None
    aliases: list[str]
    created_at: datetime
    urls: dict[str, str]


class BaseModelDocument(Closed):
    """What can be adapted: one base model, or a pattern of names; of a pattern nothing more is known."""

    object: Literal["base_model"]
    name: str
    pattern: bool
    loaded: bool
    modality: str | None = None
    family: str | None = None
    embedded: bool | None = None
    tune_modes: list[str] | None = None
    takes_label_words: bool | None = None
    default_prompt_template: str | list[str] | None = None
    description: str | None = None
    default: bool | None = None
    error: ErrorBody | None = None


class TemplateDocument(Closed):
    """A template and label words of a known text task, as a job over a language model takes them."""

    object: Literal["template"]
    name: str
    prompt_template: str
    label_words: dict[str, str]
    class_names: list[str]
    text_pairs: bool


class AliasDocument(Closed):
    """A movable name."""

    object: Literal["alias"]
    name: str
    model_id: str
    updated_at: datetime
    urls: dict[str, str]


class CheckDocument(Closed):
    """Whether a part of the service works, and why not."""

    ok: bool
    reason: str | None


class ReadyDocument(Closed):
    """Whether requests can be served."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckDocument]


class Ranked(Closed):
    """A class and its probability."""

    label: str
    score: float


class PredictionDocument(Closed):
    """The answer for one input: a prediction, or an error."""

    index: int
    label: str | None = None
    class_index: int | None = None
    score: float | None = None
    top_k: list[Ranked] | None = None
    error: ErrorBody | None = None


class PredictionListDocument(Closed):
    """The answers in input order."""

    object: Literal["prediction_list"]
    model_id: str
    variant: str
    requested_variant: str
    served_variant: str
    predictions: list[PredictionDocument]
