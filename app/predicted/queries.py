"""Queries about the items that predictions are of. They read columns: rows would be an object for each item."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from store.dataset_items import accepted
from store.tables import DatasetItem


class NamedItem(NamedTuple):
    """An item as its dataset knows it; of a text the beginning."""

    id: int
    sha256: str
    name: str
    text: str | None
    text_pair: str | None


_COLUMNS = (DatasetItem.id, DatasetItem.sha256, DatasetItem.name, DatasetItem.text, DatasetItem.text_pair)


def next_items(session: Session, dataset_id: str, after: int, limit: int) -> Sequence[NamedItem]:
    """Return items in the order in which they came, from id `after` (exclusive)."""
    query = select(*_COLUMNS).where(accepted(dataset_id), DatasetItem.id > after)
    return [_named(row) for row in session.execute(query.order_by(DatasetItem.id).limit(limit))]


def items_by_content(session: Session, dataset_id: str, hashes: Sequence[str]) -> dict[str, NamedItem]:
    """Return items by content hash."""
    query = select(*_COLUMNS).where(accepted(dataset_id), DatasetItem.sha256.in_(hashes))
    return {item.sha256: item for item in map(_named, session.execute(query))}


def item_ids(session: Session, dataset_id: str) -> Sequence[int]:
    """Return the ids of all items, in order."""
    return session.scalars(select(DatasetItem.id).where(accepted(dataset_id)).order_by(DatasetItem.id)).all()


def _named(row: "Row[int, str | None, str, str | None, str | None]") -> NamedItem:
    item_id, sha256, name, text, text_pair = row
    assert sha256 is not None  # those that were accepted have one
    return NamedItem(item_id, sha256, name, text, text_pair)
