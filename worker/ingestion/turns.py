"""Whose datasets are ingested: owners side by side, so that nobody waits for all that another has uploaded."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from store.heartbeats import living
from store.queues import INGEST, enqueue_ingestion
from store.tables import Dataset


def has_turn(session: Session, dataset_id: str) -> bool:
    """Whether a dataset may be ingested now: an owner has as many at a time as there are workers that ingest.

    Each worker has processes for some owners. A message that comes too early does nothing: the end of the owner's
    ingestion sends the next one.
    """
    others = *_ingesting(), Dataset.owner == _owner_of(dataset_id), Dataset.id != dataset_id
    running = session.scalars(select(func.count(Dataset.id)).where(*others, Dataset.lease_owner.is_not(None))).one()
    return running < max(1, living(session, INGEST.queue))


def wake_next(session: Session, ended: Dataset) -> None:
    """Let the owner's next dataset be ingested, now that one of them has ended."""
    waiting = *_ingesting(), Dataset.owner == ended.owner, Dataset.lease_owner.is_(None), Dataset.id != ended.id
    following = session.scalars(select(Dataset.id).where(*waiting).order_by(Dataset.id).limit(1)).one_or_none()
    if following is not None:
        enqueue_ingestion(session, following)


def _ingesting() -> tuple[ColumnElement[bool], ...]:
    return Dataset.status == "ingesting", Dataset.deleted_at.is_(None)


def _owner_of(dataset_id: str) -> ColumnElement[str]:
    return select(Dataset.owner).where(Dataset.id == dataset_id).scalar_subquery()
