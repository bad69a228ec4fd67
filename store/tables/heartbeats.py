"""When each process that works outside requests was last seen."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base, BigInt, Id


class Heartbeat(Base):
    """A worker or reaper; `kind` is the queue that it works on, or ``reaper``. `seen_at` is by the database's clock.

    `job_memory_bytes` is what a worker may give a job at most; None where it does not know.
    """

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Id)
    seen_at: Mapped[datetime]
    job_memory_bytes: Mapped[int | None] = mapped_column(BigInt)
