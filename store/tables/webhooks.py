"""Webhooks and the messages sent to them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.clock import utcnow
from store.tables.base import Base, BigInt, Id


class Webhook(Base):
    """A URL that is told of an owner's job transitions; `secret` signs the messages, and is emptied on deletion."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_owner_id", "owner", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    url: Mapped[str]
    event_types: Mapped[list[str]]
    secret: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    deleted_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One message to one webhook; status ``pending → delivered | failed``, and back to pending when asked for.

    `attempts` only grows and is the fence of whoever records a result; `attempts_before` are those made before the
    message was last asked for again, which do not count. `next_attempt_at` is when it is due, or when an attempt under
    way counts as lost.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_status_next_attempt_at", "status", "next_attempt_at"),
        Index("ix_webhook_deliveries_owner_body_bytes", "owner", "body_bytes"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    webhook_id: Mapped[str] = mapped_column(Id, ForeignKey("webhooks.id"))
    job_id: Mapped[str] = mapped_column(Id)
    event_type: Mapped[str]
    body: Mapped[str]
    body_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    status: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    attempts_before: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utcnow)
    status_code: Mapped[int | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    finished_at: Mapped[datetime | None]
