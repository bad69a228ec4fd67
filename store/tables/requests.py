"""API keys, browsers signed in by them, idempotency keys, and tasks to send."""

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.clock import utcnow
from store.tables.base import Base, BigInt, Id, Json


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


class WebSession(Base):
    """A browser that was signed in by a key; of the id in its cookie only the SHA-256 is kept."""

    __tablename__ = "web_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(Id, ForeignKey("api_keys.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class IdempotencyKey(Base):
    """A creating request and its answer, with the bytes of its body; state ``in_flight → done``."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_owner_body_bytes", "owner", "body_bytes"),)

    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    route: Mapped[str]
    request_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str]
    claim: Mapped[str]
    status_code: Mapped[int | None]
    headers: Mapped[dict[str, str] | None] = mapped_column(Json)
    body: Mapped[dict[str, JsonValue] | None] = mapped_column(Json)
    body_bytes: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)


class OutboxMessage(Base):
    """A task to send, written in the transaction that makes it necessary."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_published_at_created_at", "published_at", "created_at"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    task: Mapped[str]
    queue: Mapped[str]
    payload: Mapped[dict[str, str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    published_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
