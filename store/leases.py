"""Leases: who works on a job, a dataset or a batch prediction, until when, and under which fence.

Each change is one conditional UPDATE, so that of several workers exactly one wins, on SQLite and PostgreSQL alike.
The fence grows with every claim; whoever writes must hold the newest. Every `now` is the database's (`database_now`):
hosts whose clocks differ must agree on when a lease ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from store.tables import BatchPrediction, Dataset, Job

Row = TypeVar("Row", Job, Dataset, BatchPrediction)
LeasedTable = type[Job] | type[Dataset] | type[BatchPrediction]
LEASED: tuple[LeasedTable, ...] = (Job, Dataset, BatchPrediction)
#: Expired leases that one round of the reaper revokes.
MOST_EXPIRED = 100


class LeaseLost(Exception):
    """The lease expired and was revoked: its holder must stop and write nothing."""


@dataclass(frozen=True)
class Lease(Generic[Row]):
    """The right of `owner` to write to one row, as long as the row still carries `owner` and `fence`."""

    table: type[Row]
    row_id: str
    owner: str
    fence: int


def database_now(session: Session) -> datetime:
    """The database's own time, in UTC; that of SQLite is this host's, the only one that uses it."""
    if session.get_bind().dialect.name == "sqlite":
        text = session.scalars(select(func.strftime("%Y-%m-%d %H:%M:%f", "now"))).one()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    moment: datetime = session.scalars(select(func.clock_timestamp())).one()
    return moment.astimezone(UTC)


def claim_job(session: Session, job_id: str, owner: str, now: datetime, seconds: float) -> Lease[Job] | None:
    """Claim a queued job and count the attempt; None when another worker holds it or it is not queued."""
    statement = _claim_statement(Job, job_id, owner, now, seconds).values(attempt=Job.attempt + 1)
    return _claimed(session, Job, job_id, owner, statement.where(Job.status == "queued"))


def claim_dataset(
    session: Session, dataset_id: str, owner: str, now: datetime, seconds: float
) -> Lease[Dataset] | None:
    """Claim a dataset that is to be ingested; None when another worker holds it or there is nothing to ingest."""
    statement = _claim_statement(Dataset, dataset_id, owner, now, seconds)
    wanted = statement.where(Dataset.status == "ingesting", Dataset.deleted_at.is_(None))
    return _claimed(session, Dataset, dataset_id, owner, wanted)


def claim_batch(
    session: Session, batch_id: str, owner: str, now: datetime, seconds: float
) -> Lease[BatchPrediction] | None:
    """Claim a queued batch prediction and count the attempt; None when another worker holds it or it is not queued."""
    statement = _claim_statement(BatchPrediction, batch_id, owner, now, seconds)
    counted = statement.values(attempt=BatchPrediction.attempt + 1)
    return _claimed(session, BatchPrediction, batch_id, owner, counted.where(BatchPrediction.status == "queued"))


def renew(session: Session, lease: Lease[Row], now: datetime, seconds: float) -> None:
    """Let the lease last `seconds` from `now`; raises `LeaseLost`."""
    if not changed_one_row(session, _held(lease).values(lease_expires_at=now + timedelta(seconds=seconds))):
        raise LeaseLost(lease.row_id)


def release(session: Session, lease: Lease[Row]) -> None:
    """Give the row back unfinished, with the fence that it had before the claim; raises `LeaseLost`.

    Going back is safe because the holder itself, which ends here, was the only one under this fence.
    """
    values = {"lease_owner": None, "lease_expires_at": None, "fence": lease.fence - 1}
    if not changed_one_row(session, _held(lease).values(**values)):
        raise LeaseLost(lease.row_id)


def fenced(session: Session, lease: Lease[Row]) -> Row:
    """The row, locked until the transaction ends, if the lease still holds; raises `LeaseLost`."""
    table = lease.table
    query = select(table).where(table.id == lease.row_id, table.fence == lease.fence, table.lease_owner == lease.owner)
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise LeaseLost(lease.row_id)
    return row


def expired(session: Session, table: type[Row], now: datetime) -> Sequence[str]:
    """Ids of rows whose holder has not renewed in time, up to `MOST_EXPIRED`, those that waited longest first."""
    query = select(table.id).where(table.lease_expires_at < now).order_by(table.lease_expires_at).limit(MOST_EXPIRED)
    return session.scalars(query).all()


def shorten(session: Session, table: LeasedTable, now: datetime, seconds: float) -> None:
    """Shorten leases that end far later than `seconds` from now: the clock was set back, or the setting was reduced.

    Otherwise the row of a dead holder would wait until the clock has caught up.
    """
    far = table.lease_expires_at > now + timedelta(seconds=2 * seconds)
    session.execute(
        update(table)
        .where(far)
        .values(lease_expires_at=now + timedelta(seconds=seconds))
        .execution_options(synchronize_session=False)
    )


def prolong(session: Session, table: LeasedTable, good_at: datetime, now: datetime, seconds: float) -> None:
    """Let leases that were good at an earlier time last at least `seconds` from `now`."""
    until = now + timedelta(seconds=seconds)
    session.execute(
        update(table)
        .where(table.lease_expires_at >= good_at, table.lease_expires_at < until)
        .values(lease_expires_at=until)
        .execution_options(synchronize_session=False)
    )


def expire(session: Session, table: type[Row], row_id: str, now: datetime) -> Row | None:
    """Revoke an expired lease and return the locked row; None when it was renewed or claimed meanwhile."""
    statement = (
        update(table)
        .where(table.id == row_id, table.lease_expires_at < now)
        .values(lease_owner=None, lease_expires_at=None)
    )
    if not changed_one_row(session, statement):
        return None
    return cast(Row, session.get(table, row_id, populate_existing=True))


def _claim_statement(table: type[Row], row_id: str, owner: str, now: datetime, seconds: float) -> Update:
    expires_at = now + timedelta(seconds=seconds)
    free = update(table).where(table.id == row_id, table.lease_owner.is_(None))
    return free.values(lease_owner=owner, lease_expires_at=expires_at, fence=table.fence + 1)


def _claimed(session: Session, table: type[Row], row_id: str, owner: str, statement: Update) -> Lease[Row] | None:
    returning = statement.returning(table.fence).execution_options(synchronize_session=False)
    fence = session.scalars(returning).one_or_none()
    return None if fence is None else Lease(table, row_id, owner, fence)


def _held(lease: Lease[Row]) -> Update:
    table = lease.table
    return update(table).where(table.id == lease.row_id, table.fence == lease.fence, table.lease_owner == lease.owner)


def changed_one_row(session: Session, statement: Update) -> bool:
    """Run a conditional update of one row; return whether its condition held."""
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount == 1
