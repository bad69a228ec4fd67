"""Whose datasets are ingested: owners side by side, so that nobody waits for all that another has uploaded."""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from store.database import Database
from store.heartbeats import living
from store.leases import Lease, fenced
from store.outages import patiently
from store.queues import INGEST, enqueue_ingestion
from store.tables import Dataset
from worker.lease_keeper import LeaseKeeper

#: Seconds after which an ingestion counts as a long one.
LONG_AFTER = 20.0


class TurnOver(Exception):
    """An ingestion takes long, and as many of those run as may: it begins anew when it is the turn of another."""


class Turn:
    """An ingestion's turn, which may end once it takes long.

    One process of each worker is left for datasets that may take a moment, so that large uploads of a few owners do not
    keep all others waiting.

    Args:
        database: tells what else is ingested.
        keeper: of the lease.
        lease: of the dataset.
        processes: that a worker has.
    """

    def __init__(self, database: Database, keeper: LeaseKeeper[Dataset], lease: Lease[Dataset], processes: int) -> None:
        self._database = database
        self._keeper = keeper
        self._lease = lease
        self._processes = processes
        self._short_until: float | None = time.monotonic() + LONG_AFTER

    def check(self) -> None:
        """Raise `TurnOver` where others have to be let in first; call outside transactions."""
        if self._short_until is None or time.monotonic() < self._short_until:
            return
        self._short_until = None
        if not patiently(self._may_go_on, self._keeper.check):
            raise TurnOver

    def _may_go_on(self) -> bool:
        with self._database.write() as session:
            dataset = fenced(session, self._lease)
            was_long, dataset.ingests_long = dataset.ingests_long, True
            return was_long or _leaves_a_place(session, dataset.id, self._processes)


def has_turn(session: Session, dataset_id: str, processes: int) -> bool:
    """Whether a dataset may be ingested now: an owner has as many at a time as there are workers that ingest.

    Each worker has processes for some owners. A message that comes too early does nothing: the end of the owner's
    ingestion sends the next one. Those that wait because they take long count too: each of an owner's many long ones
    would otherwise take the place of short ones for a while.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None or (dataset.ingests_long and not _leaves_a_place(session, dataset_id, processes)):
        return False
    counted: ColumnElement[bool] = Dataset.lease_owner.is_not(None)
    if not dataset.ingests_long:
        counted = or_(counted, Dataset.ingests_long)
    others = *_ingesting(), Dataset.owner == dataset.owner, Dataset.id != dataset_id
    return _count(session, *others, counted) < _workers(session)


def wake_next(session: Session, ended: Dataset) -> None:
    """Let the owner's next dataset be ingested, now that one of them has ended; and a long one after a long one."""
    waiting = *_ingesting(), Dataset.lease_owner.is_(None), Dataset.id != ended.id
    following = [_first(session, *waiting, Dataset.owner == ended.owner)]
    if ended.ingests_long:
        following.append(_first(session, *waiting, Dataset.ingests_long.is_(True)))
    for dataset_id in {each for each in following if each is not None}:
        enqueue_ingestion(session, dataset_id)


def _leaves_a_place(session: Session, dataset_id: str, processes: int) -> bool:
    """Whether a process of each worker is left for others while a dataset is ingested for long."""
    others = *_ingesting(), Dataset.ingests_long.is_(True), Dataset.lease_owner.is_not(None), Dataset.id != dataset_id
    return _count(session, *others) < max(1, processes - 1) * _workers(session)


def _workers(session: Session) -> int:
    return max(1, living(session, INGEST.queue))


def _count(session: Session, *which: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count(Dataset.id)).where(*which)).one()


def _first(session: Session, *which: ColumnElement[bool]) -> str | None:
    return session.scalars(select(Dataset.id).where(*which).order_by(Dataset.id).limit(1)).one_or_none()


def _ingesting() -> tuple[ColumnElement[bool], ...]:
    return Dataset.status == "ingesting", Dataset.deleted_at.is_(None)
