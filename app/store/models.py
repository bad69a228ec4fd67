"""The tables of datasets, jobs and models, and of what requests and workers need beside them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.store.clock import utcnow
from app.store.model_base import Base, BigInt, Id, Leased


class Dataset(Leased, Base):
    """Target data; status ``uploading → ingesting → ready | failed``.

    `extracted_bytes` are those that ingestion stored beside the uploads; `owner_limits` (`items`, `stored_bytes`) bound
    what the owner may have once it is ingested. `text_column` and `label_column` name columns of tables of texts.
    """

    __tablename__ = "datasets"
    __table_args__ = (Index("ix_datasets_owner_id", "owner", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    modality: Mapped[str]
    text_pairs: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[str] = mapped_column(index=True)
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    item_count: Mapped[int] = mapped_column(default=0)
    duplicate_count: Mapped[int] = mapped_column(default=0)
    rejected_count: Mapped[int] = mapped_column(default=0)
    labelled_count: Mapped[int] = mapped_column(default=0)
    fingerprint: Mapped[str | None]
    suggested_class_names: Mapped[list[str] | None]
    extracted_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    owner_limits: Mapped[dict[str, Any] | None]
    text_column: Mapped[str | None]
    label_column: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    ready_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class ApiKey(Base):
    """A key without its text, of which only the HMAC is kept; a limit that is null is the settings' own."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str] = mapped_column(Id, index=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(String(16), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    requests_per_minute: Mapped[int | None]
    stored_bytes: Mapped[int | None] = mapped_column(BigInt)
    items: Mapped[int | None] = mapped_column(BigInt)
    concurrent_jobs: Mapped[int | None]
    queued_jobs: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Upload(Base):
    """A file as it was uploaded: a picture, an archive or a table of labels."""

    __tablename__ = "uploads"
    __table_args__ = (UniqueConstraint("dataset_id", "sha256", "filename"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    position: Mapped[int]
    filename: Mapped[str]
    storage_key: Mapped[str]
    size: Mapped[int] = mapped_column(BigInt)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class DatasetItem(Base):
    """One file found while ingesting; status ``accepted | duplicate | rejected``, `code` says why it was rejected."""

    __tablename__ = "dataset_items"
    __table_args__ = (Index("ix_dataset_items_dataset_id_status_id", "dataset_id", "status", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    sha256: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str]
    status: Mapped[str]
    code: Mapped[str | None]
    message: Mapped[str | None]
    label: Mapped[str | None]
    storage_key: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInt)


class Job(Leased, Base):
    """An adaptation job; its status changes only through `app.store.transitions`."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_owner_id", "owner", "id"),
        Index("ix_jobs_status_queued_at_id", "status", "queued_at", "id"),
        Index("ix_jobs_dataset_id", "dataset_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    alias: Mapped[str | None]
    status: Mapped[str]
    stage: Mapped[str | None]
    status_transitions: Mapped[list[Any]] = mapped_column(default=list)
    request: Mapped[dict[str, Any]]
    method: Mapped[dict[str, Any]]
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    base_model: Mapped[str]
    class_names: Mapped[list[Any]]
    prompt_template: Mapped[list[str]]
    label_words: Mapped[dict[str, Any] | None]
    seed: Mapped[int] = mapped_column(BigInt, default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    lost_attempts: Mapped[int] = mapped_column(default=0)
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int | None]
    latest_metrics: Mapped[dict[str, Any] | None]
    evaluation: Mapped[dict[str, Any] | None]
    verdict: Mapped[str | None]
    verdict_reasons: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    fallback: Mapped[str | None]
    selected_step: Mapped[int | None]
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    model_id: Mapped[str | None] = mapped_column(Id)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    pause_requested: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    event_seq: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    queued_at: Mapped[datetime | None]


class JobEvent(Base):
    """Something that happened to a job; `seq` counts from 1 without gaps."""

    __tablename__ = "job_events"
    __table_args__ = (UniqueConstraint("job_id", "seq"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"))
    seq: Mapped[int]
    type: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class JobMetric(Base):
    """The numbers of one optimiser step."""

    __tablename__ = "job_metrics"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class AdaptedModel(Base):
    """A published adapted model; a job has at most one."""

    __tablename__ = "models"
    __table_args__ = (Index("ix_models_owner_id", "owner", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"), unique=True)
    base_model: Mapped[str]
    tune: Mapped[str]
    method: Mapped[dict[str, Any]]
    class_names: Mapped[list[Any]]
    prompt_template: Mapped[list[str]]
    label_words: Mapped[dict[str, Any] | None]
    storage_key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInt)
    fingerprint: Mapped[str]
    evaluation: Mapped[dict[str, Any] | None]
    verdict: Mapped[str | None]
    verdict_reasons: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    fallback: Mapped[str | None]
    selected_step: Mapped[int | None]
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    deleted_at: Mapped[datetime | None]


class Alias(Base):
    """A movable name for a model."""

    __tablename__ = "aliases"

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Id, primary_key=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"), index=True)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)


class OutboxMessage(Base):
    """A task to send, written in the transaction that makes it necessary."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_published_at_created_at", "published_at", "created_at"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    task: Mapped[str]
    queue: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    published_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)


class IdempotencyKey(Base):
    """A creating request and its answer; state ``in_flight → done``."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    route: Mapped[str]
    request_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str]
    claim: Mapped[str]
    status_code: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
