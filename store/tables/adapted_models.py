"""Published adapted models and their movable names."""

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult
from store.clock import utcnow
from store.summaries import keep_summaries
from store.tables.base import Base, BigInt, DocumentJson, Id, Json
from store.unreadable import UnreadableRequest, UnreadableResult


class AdaptedModel(Base):
    """A published adapted model; a job has at most one. `summary` and `document_bytes` are as in `Job`.

    `exports_bytes` is what its exports take (`store.export_bytes`), and `audited_threshold` that of an audit that was
    confirmed, in place of the artifact's own.
    """

    __tablename__ = "models"
    __table_args__ = (
        Index("ix_models_owner_id_created_at", "owner", "id", "created_at"),
        Index("ix_models_owner_created_at_id", "owner", "created_at", "id"),
        Index("ix_models_owner_name_id", "owner", "name", "id"),
        Index("ix_models_owner_document_bytes", "owner", "document_bytes"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    job_id: Mapped[str] = mapped_column(Id, unique=True)  # the job itself may have been deleted
    request: Mapped[AdaptationRequest] = mapped_column(DocumentJson(AdaptationRequest, UnreadableRequest))
    result: Mapped[PartialResult] = mapped_column(DocumentJson(PartialResult, UnreadableResult))
    summary: Mapped[dict[str, JsonValue] | None] = mapped_column(Json)
    document_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    audited_threshold: Mapped[float | None] = mapped_column(Double)
    storage_key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInt)
    exports_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    fingerprint: Mapped[str]
    meta: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    deleted_at: Mapped[datetime | None]


keep_summaries(AdaptedModel)


class Alias(Base):
    """A movable name for a model."""

    __tablename__ = "aliases"
    __table_args__ = (Index("ix_aliases_model_id_name", "model_id", "name"),)

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Id, primary_key=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"), index=True)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
