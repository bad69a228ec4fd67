"""Predictions of a dataset by a model that was adapted before."""

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from pouf_core.contract.abstention import VariantName
from store.clock import utcnow
from store.tables.base import Base, BigInt, Id, Json, Leased


class BatchPrediction(Leased, Base):
    """Status ``queued → running → succeeded | failed | cancelled``, and ``cancelling``.

    `predicted_count` is how many items were done when the worker last told, `durable_count` those whose predictions
    outlast the attempt. `predictions_key` is as in `Job`. `variant` and `threshold` are what the model was served by
    when it was asked for, None for what its artifact says; every attempt predicts the same.
    """

    __tablename__ = "batch_predictions"
    __table_args__ = (
        Index("ix_batch_predictions_owner_id", "owner", "id"),
        Index("ix_batch_predictions_owner_created_at_id", "owner", "created_at", "id"),
        Index("ix_batch_predictions_owner_status", "owner", "status"),
        Index("ix_batch_predictions_dataset_id", "dataset_id"),
        Index("ix_batch_predictions_lease_expires_at", "lease_expires_at"),
        Index("ix_batch_predictions_status_updated_at", "status", "updated_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str | None]
    meta: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    status: Mapped[str]
    model_id: Mapped[str] = mapped_column(Id)  # the model may be deleted afterwards
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    variant: Mapped[VariantName | None] = mapped_column(Text)
    threshold: Mapped[float | None] = mapped_column(Double)
    item_count: Mapped[int]
    predicted_count: Mapped[int] = mapped_column(default=0)
    durable_count: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    lost_attempts: Mapped[int] = mapped_column(default=0)
    predictions_key: Mapped[str | None]
    predictions_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
