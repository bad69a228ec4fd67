"""Signs of life: who works outside requests, and when each was last seen, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.leases import database_now
from store.tables import Heartbeat

REAPER = "reaper"
#: Seconds between two heartbeats of a worker.
EVERY_SECONDS = 10.0
#: Who was not seen for so long is not told of any more.
FORGOTTEN_AFTER = timedelta(days=1)
#: Who was not seen for so long is taken for lost.
LOST_AFTER = timedelta(seconds=6 * EVERY_SECONDS)


def beat(session: Session, name: str, kind: str, job_memory_bytes: int | None = None) -> None:
    """Note that a process lives, and what it may give a job at most."""
    row = session.get(Heartbeat, name)
    if row is None:
        row = session.merge(Heartbeat(name=name, kind=kind, seen_at=database_now(session)))
    row.kind, row.seen_at, row.job_memory_bytes = kind, database_now(session), job_memory_bytes


def seen(session: Session) -> Sequence[Heartbeat]:
    """Everybody that was seen within `FORGOTTEN_AFTER`, by name."""
    recent = Heartbeat.seen_at >= database_now(session) - FORGOTTEN_AFTER
    return session.scalars(select(Heartbeat).where(recent).order_by(Heartbeat.name)).all()


def job_memory(session: Session, queue: str) -> list[int | None]:
    """What each worker of a queue may give a job at most; None where it does not know.

    Those that were not seen for a while count too, as they may come back, until they are forgotten.
    """
    recent = Heartbeat.seen_at >= database_now(session) - FORGOTTEN_AFTER
    rows = session.execute(select(Heartbeat.kind, Heartbeat.job_memory_bytes).where(recent))
    return [most for kind, most in rows if queue in kind.split(",")]


def living(session: Session, queue: str) -> int:
    """How many workers of a queue are there."""
    recent = Heartbeat.seen_at >= database_now(session) - LOST_AFTER
    return sum(queue in kind.split(",") for kind in session.scalars(select(Heartbeat.kind).where(recent)))


def last_seen(session: Session, kind: str) -> datetime | None:
    """When the last of a kind was seen; None when none ever was."""
    return session.scalars(select(func.max(Heartbeat.seen_at)).where(Heartbeat.kind == kind)).one()


def forget(session: Session, now: datetime) -> None:
    """Delete the rows of those that are gone."""
    session.execute(delete(Heartbeat).where(Heartbeat.seen_at < now - FORGOTTEN_AFTER))
