"""Adaptation jobs, their events and the numbers of their steps."""

from datetime import datetime
from typing import TypedDict

from pydantic import JsonValue
from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pouf_core.contract.progress import Metrics
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult
from store.clock import utcnow
from store.summaries import keep_summaries
from store.tables.base import Base, BigInt, DocumentJson, Id, Json, Leased
from store.unreadable import UnreadableRequest, UnreadableResult


class StatusChange(TypedDict):
    """A change of a job's status or stage; `at` in RFC 3339."""

    status: str
    stage: str | None
    at: str


class Job(Leased, Base):
    """An adaptation job; its status changes only through `store.transitions`.

    `request` is what was asked for, `result` what is known of the answer so far. `predictions_key` is where the
    predictions of its items lie; None before there are any, and once they were deleted. `summary` is what lists show
    of the request (None of rows that an older version wrote), `document_bytes` what the documents take.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_owner_id_created_at", "owner", "id", "created_at"),
        Index("ix_jobs_owner_created_at_id", "owner", "created_at", "id"),
        Index("ix_jobs_owner_status_id", "owner", "status", "id"),
        Index("ix_jobs_owner_name_id", "owner", "name", "id"),
        Index("ix_jobs_owner_dataset_id_id", "owner", "dataset_id", "id"),
        Index("ix_jobs_owner_document_bytes", "owner", "document_bytes"),
        Index("ix_jobs_owner_predictions_bytes", "owner", "predictions_bytes"),
        Index("ix_jobs_status_queued_at_id", "status", "queued_at", "id"),
        Index("ix_jobs_dataset_id", "dataset_id"),
        Index("ix_jobs_lease_expires_at", "lease_expires_at"),
        Index("ix_jobs_owner_started_at", "owner", "started_at"),
        Index("ix_jobs_class_features_dataset_id", "class_features_dataset_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    meta: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    alias: Mapped[str | None]
    status: Mapped[str]
    stage: Mapped[str | None]
    status_transitions: Mapped[list[StatusChange]] = mapped_column(Json, default=list)
    request: Mapped[AdaptationRequest] = mapped_column(DocumentJson(AdaptationRequest, UnreadableRequest))
    result: Mapped[PartialResult] = mapped_column(
        DocumentJson(PartialResult, UnreadableResult), default=PartialResult()
    )
    summary: Mapped[dict[str, JsonValue] | None] = mapped_column(Json)
    document_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    class_features_dataset_id: Mapped[str | None] = mapped_column(Id, ForeignKey("datasets.id"))
    attempt: Mapped[int] = mapped_column(default=0)
    lost_attempts: Mapped[int] = mapped_column(default=0)
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int | None]
    latest_metrics: Mapped[Metrics | None] = mapped_column(Json)
    model_id: Mapped[str | None] = mapped_column(Id)
    predictions_key: Mapped[str | None]
    predictions_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    event_seq: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    queued_at: Mapped[datetime | None]


keep_summaries(Job)


class JobEvent(Base):
    """Something that happened to a job; `seq` counts from 1 without gaps."""

    __tablename__ = "job_events"
    __table_args__ = (UniqueConstraint("job_id", "seq"), Index("ix_job_events_created_at", "created_at"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"))
    seq: Mapped[int]
    type: Mapped[str]
    data: Mapped[dict[str, JsonValue]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class JobMetric(Base):
    """The numbers of one optimiser step."""

    __tablename__ = "job_metrics"
    __table_args__ = (Index("ix_job_metrics_created_at", "created_at"),)

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[Metrics] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
