"""Datasets, what was uploaded to them and what ingestion found."""

from datetime import datetime
from typing import TypedDict

from pydantic import JsonValue
from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.embedding_data import EmbeddingData
from pouf_core.contract.labels import LabelsWanted
from pouf_core.contract.rejections import SkipReason
from store.clock import utcnow
from store.tables.base import Base, BigInt, Id, Json, Leased


class OwnerLimits(TypedDict):
    """What the owner of a dataset may have once it is ingested: items, and bytes of uploads, items and models."""

    items: int
    stored_bytes: int


class Dataset(Leased, Base):
    """Target data; status ``uploading → ingesting → ready | failed``.

    `labels` is where labels may come from, `label_source` (`LabelSource`) where they came from.
    `extracted_bytes` are those that ingestion stored beside the uploads, and `entry_count` the rows of items that it
    wrote, of a dataset that failed, too. `text_column` and `label_column` name columns
    of tables of texts, `text_options` (`TextFileOptions`) is what else its uploader said of files of texts, and
    `readings` (`FileReading`) how they were read. `rejections` (`RejectionGroup`) are what could not be used, by cause,
    and `warnings` (`Finding`) what to know of it. `candidates` (`ColumnCandidate`) are the
    columns to choose from where the dataset failed with `table_ambiguous`. `ingests_long` says that ingesting it
    takes long, see `worker.ingestion.turns`. `embedding_width` is how many numbers an
    embedding has, and `embedding_templates` T where the embeddings were uploaded as [T, K, d].
    """

    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_owner_id", "owner", "id"),
        Index("ix_datasets_owner_created_at_id", "owner", "created_at", "id"),
        Index("ix_datasets_lease_expires_at", "lease_expires_at"),
        Index("ix_datasets_status_updated_at", "status", "updated_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    modality: Mapped[RequestedModality] = mapped_column(Text)
    text_pairs: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[str] = mapped_column(index=True)
    meta: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    item_count: Mapped[int] = mapped_column(default=0)
    duplicate_count: Mapped[int] = mapped_column(default=0)
    rejected_count: Mapped[int] = mapped_column(default=0)
    labelled_count: Mapped[int] = mapped_column(default=0)
    embedding_width: Mapped[int | None]
    embedding_templates: Mapped[int | None]
    fingerprint: Mapped[str | None]
    labels: Mapped[LabelsWanted] = mapped_column(Text, default="auto", server_default="auto")
    label_source: Mapped[dict[str, JsonValue] | None] = mapped_column(Json)
    suggested_class_names: Mapped[list[str] | None]
    extracted_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    entry_count: Mapped[int] = mapped_column(default=0, server_default="0")
    ingests_long: Mapped[bool] = mapped_column(default=False, server_default=false())
    owner_limits: Mapped[OwnerLimits | None] = mapped_column(Json)
    text_column: Mapped[str | None]
    label_column: Mapped[str | None]
    text_options: Mapped[dict[str, JsonValue] | None] = mapped_column(Json)
    readings: Mapped[list[dict[str, JsonValue]] | None] = mapped_column(Json)
    rejections: Mapped[list[dict[str, JsonValue]] | None] = mapped_column(Json)
    skipped: Mapped[dict[SkipReason, int] | None] = mapped_column(Json)
    warnings: Mapped[list[dict[str, JsonValue]] | None] = mapped_column(Json)
    candidates: Mapped[list[dict[str, JsonValue]] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    ready_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    @property
    def embeddings(self) -> EmbeddingData | None:
        """What is known of its embeddings; None where it holds none, or is not ready."""
        if self.status != "ready" or self.embedding_width is None:
            return None
        rows = self.item_count + self.duplicate_count
        return EmbeddingData(rows, self.rejected_count, self.embedding_width, self.embedding_templates)


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
    """One file found while ingesting; status ``accepted | duplicate | rejected``, `code` says why it was rejected.

    `text` and `text_pair` are the beginning of an item that is a text or a pair of texts.
    """

    __tablename__ = "dataset_items"
    __table_args__ = (
        Index("ix_dataset_items_dataset_id_status_id", "dataset_id", "status", "id"),
        Index("ix_dataset_items_dataset_id_sha256_status", "dataset_id", "sha256", "status"),
    )

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
    text: Mapped[str | None]
    text_pair: Mapped[str | None]
