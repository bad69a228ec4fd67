"""Adaptation jobs: the request and the documents."""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.http.query_parameters import ListQuery, NumbersQuery
from app.http.schemas import (
    ALIAS_NAME,
    DELETED,
    METADATA,
    NAME,
    RESULT_CONFIG,
    Closed,
    Document,
    ErrorBody,
    show_result,
    show_summary,
)
from pouf_core.contract.abstention import Threshold
from pouf_core.contract.request import AdaptationRequest, Quality
from pouf_core.contract.result import PartialResult
from store.tables import Job, JobEvent, JobMetric

JOB_STATUS = Literal["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"]
#: The last step, when it ended, and seconds a step, while a job trains.
Pace = tuple[int, datetime, float]


class JobCreate(Closed, AdaptationRequest):
    """An adaptation job to create."""

    dataset_id: Annotated[str, Field(max_length=64)]
    class_features_dataset_id: Annotated[
        str | None,
        Field(
            max_length=64,
            description="For embeddings: a dataset of one vector for each class, in the order of `class_names`, or of "
            "T for each, as T × K rows. The base model is `features` then.",
        ),
    ] = None
    name: NAME | None = None
    alias: ALIAS_NAME | None = None
    metadata: METADATA = {}

    def unsettled(self) -> AdaptationRequest:
        """Return the request alone, as it is kept until the dataset chooses its base model."""
        fields = {name: getattr(self, name) for name in AdaptationRequest.model_fields}
        templates, words = self.prompt_template, self.label_words
        fields["prompt_template"] = [templates] if isinstance(templates, str) else templates
        fields["label_words"] = words and {name: [own] if isinstance(own, str) else own for name, own in words.items()}
        return AdaptationRequest(**fields)


class JobListQuery(ListQuery):
    """A page of jobs."""

    status: JOB_STATUS | None = None
    dataset_id: Annotated[str | None, Field(max_length=64)] = None


class EventsQuery(NumbersQuery):
    """A page of events; the same cursor serves JSON and streams."""


class StatusTransition(Document):
    """A change of a job's status or stage."""

    status: JOB_STATUS
    stage: str | None
    at: datetime


class ProgressDocument(Document):
    """How far the job's present stage is."""

    step: int
    total_steps: int | None
    fraction: float | None
    eta_at: datetime | None


class JobCommon(Document):
    """What a job's document says beside the result and whatever grows with the classes."""

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
    dataset_deleted: DELETED
    class_features_dataset_id: str | None
    base_model: str
    activation: str
    logit_scale: float | None
    quality: Quality
    seed: int
    threshold: Threshold | None
    wished_accuracy: float
    alias: str | None
    latest_metrics: dict[str, Any] | None
    estimate: dict[str, float] | None
    model_id: str | None
    model_deleted: DELETED
    error: ErrorBody | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    urls: dict[str, str]


class JobFields(JobCommon):
    """What a job's document says beside the result."""

    class_names: list[Any]
    prompt_template: list[str] | None
    label_words: dict[str, list[str]] | None
    text_limits: dict[str, int] | None


class JobDocument(PartialResult, JobFields):
    """An adaptation job."""

    model_config = RESULT_CONFIG

    method: dict[str, Any]


class JobSummaryDocument(PartialResult, JobCommon):
    """An adaptation job in a list: without its classes, their wording and their prior."""

    model_config = RESULT_CONFIG

    class_count: int
    method: dict[str, Any]


class EventDocument(Document):
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


def show_job(job: Job, queue_position: int | None, pace: Pace | None = None, gone: Container[str] = ()) -> JobDocument:
    """Return the job's document.

    Args:
        job: the row.
        queue_position: from 1, while it is queued.
        pace: the last step, its end and seconds a step, while it trains.
        gone: ids of deleted models and datasets.
    """
    return JobDocument(
        **_common(job, queue_position, pace, gone),
        **job.request.model_dump(exclude={"method"}),
        **show_result(job.request, job.result),
    )


def show_job_summary(
    job: Job, queue_position: int | None, pace: Pace | None = None, gone: Container[str] = ()
) -> JobSummaryDocument:
    """Return what a list says of the job; arguments as for `show_job`."""
    return JobSummaryDocument(**_common(job, queue_position, pace, gone), **show_summary(job))


def _common(job: Job, queue_position: int | None, pace: Pace | None, gone: Container[str]) -> dict[str, Any]:
    return {
        "object": "job",
        "id": job.id,
        "name": job.name,
        "metadata": job.meta,
        "status": job.status,
        "stage": job.stage,
        "status_transitions": job.status_transitions,
        "progress": _progress(job, pace),
        "queue_position": queue_position,
        "attempt": job.attempt,
        "dataset_id": job.dataset_id,
        "dataset_deleted": job.dataset_id in gone,
        "class_features_dataset_id": job.class_features_dataset_id,
        "alias": job.alias,
        "latest_metrics": job.latest_metrics,
        "estimate": None,
        "model_id": job.model_id,
        "model_deleted": job.model_id in gone,
        "error": ErrorBody.of(job.error_code, job.error_message),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "urls": _urls(job, gone),
    }


def _progress(job: Job, pace: Pace | None) -> ProgressDocument:
    fraction = min(job.step / job.total_steps, 1.0) if job.total_steps else None
    if job.status == "succeeded":
        fraction = 1.0  # also of a method without steps
    eta = None
    if pace is not None and job.total_steps:
        last_step, last_at, seconds = pace
        eta = last_at + timedelta(seconds=seconds * max(job.total_steps - last_step, 0))
    return ProgressDocument(step=job.step, total_steps=job.total_steps, fraction=fraction, eta_at=eta)


def _urls(job: Job, gone: Container[str]) -> dict[str, str]:
    """Return links to what there is: a deleted dataset or model has none."""
    url = f"/v1/jobs/{job.id}"
    urls = {"self": url}
    for name, dataset_id in (("dataset", job.dataset_id), ("class_features_dataset", job.class_features_dataset_id)):
        if dataset_id is not None and dataset_id not in gone:
            urls[name] = f"/v1/datasets/{dataset_id}"
    urls |= {name: f"{url}/{name}" for name in ("events", "metrics", "report", "cancel", "pause", "resume", "retry")}
    if job.model_id is not None and job.model_id not in gone:
        model = f"/v1/models/{job.model_id}"
        urls |= {"model": model, "predict": f"{model}/predict", "artifact": f"{model}/artifact"}
    if job.predictions_key is not None:
        urls["predictions"] = f"{url}/predictions"
    return urls


def show_event(event: JobEvent) -> EventDocument:
    """Return the document of one event."""
    return EventDocument(
        object="event",
        id=event.id,
        seq=event.seq,
        type=event.type,
        data=event.data,
        created_at=event.created_at,
    )


def show_metric(metric: JobMetric) -> MetricDocument:
    """Return the numbers of one optimiser step."""
    return MetricDocument(**{**metric.data, "step": metric.step, "created_at": metric.created_at})
