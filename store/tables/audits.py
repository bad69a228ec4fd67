"""Reviews of some of a job's items by people. Nothing here is read by training or evaluation."""

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.clock import utcnow
from store.tables.base import Base, BigInt, Id, Json


class Audit(Base):
    """Items of a job's dataset drawn for review; `design` is an `AuditDesign`, `applied` what was confirmed of it."""

    __tablename__ = "audits"
    __table_args__ = (Index("ix_audits_job_id_id", "job_id", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str]
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"))
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"), index=True)
    size: Mapped[int]
    seed: Mapped[int]
    wished_accuracy: Mapped[float] = mapped_column(Double)
    design: Mapped[dict[str, JsonValue]] = mapped_column(Json)
    applied: Mapped[dict[str, JsonValue] | None] = mapped_column(Json)
    applied_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class AuditItem(Base):
    """A drawn item with what was predicted for it then; classes are places among the job's class names."""

    __tablename__ = "audit_items"
    __table_args__ = (UniqueConstraint("audit_id", "sha256"),)

    audit_id: Mapped[str] = mapped_column(Id, ForeignKey("audits.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(64))
    stratum: Mapped[int]
    adapted: Mapped[int]
    zero_shot: Mapped[int]
    runner_up: Mapped[int]
    probability: Mapped[float] = mapped_column(Double)
    runner_up_probability: Mapped[float] = mapped_column(Double)


class AuditAnswer(Base):
    """What somebody said of an item: a `label`, or by `kind` that it is of no class or cannot be told.

    All answers are kept; the last one of each person counts.
    """

    __tablename__ = "audit_answers"
    __table_args__ = (Index("ix_audit_answers_audit_id_id", "audit_id", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    audit_id: Mapped[str] = mapped_column(Id, ForeignKey("audits.id"))
    position: Mapped[int]
    person: Mapped[str]
    kind: Mapped[str]
    label: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
