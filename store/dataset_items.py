"""The items of a dataset that are used, and what their rows say of them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.tables import DatasetItem


def accepted(dataset_id: str) -> ColumnElement[bool]:
    """That an item is one of those that are used."""
    return and_(DatasetItem.dataset_id == dataset_id, DatasetItem.status == "accepted")


def by_content(session: Session, dataset_id: str, column: InstrumentedAttribute[str | None]) -> dict[str, str]:
    """Content hash to the column's value, where there is one, in order of content hash."""
    query = select(DatasetItem.sha256, column).where(accepted(dataset_id), column.is_not(None))
    rows = session.execute(query.order_by(DatasetItem.sha256))
    return {sha256: value for sha256, value in rows if sha256 is not None and value is not None}


def labels_of(session: Session, dataset_id: str) -> dict[str, str]:
    """The evaluation label of each item that has one, by content hash."""
    return by_content(session, dataset_id, DatasetItem.label)


def only_key(session: Session, dataset_id: str) -> str | None:
    """The storage key of the one file that holds all items, of a dataset of texts or embeddings; None without items."""
    return session.scalars(select(DatasetItem.storage_key).where(accepted(dataset_id)).limit(1)).one_or_none()
