"""Rows of a dataset's items, of which there may be millions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.tables import DatasetItem

ITEMS_AT_ONCE = 5000


def forget_items(write: Callable[[], AbstractContextManager[Session]], dataset_id: str) -> None:
    """Delete the rows of a dataset's items, some thousands a transaction, so that nobody waits long to write.

    Args:
        write: begins a transaction, at the end of which it is committed.
        dataset_id: of the dataset.
    """
    some = select(DatasetItem.id).where(DatasetItem.dataset_id == dataset_id).limit(ITEMS_AT_ONCE)
    gone = True
    while gone:
        with write() as session:
            removed = session.execute(delete(DatasetItem).where(DatasetItem.id.in_(some)).returning(DatasetItem.id))
            gone = bool(removed.all())
