"""Rows of a dataset's uploads and items, of which there may be millions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.tables import DatasetItem, Upload

ROWS_AT_ONCE = 5000


def forget_rows(
    write: Callable[[], AbstractContextManager[Session]], table: type[Upload] | type[DatasetItem], dataset_id: str
) -> None:
    """Delete the rows of a dataset's uploads or items, some thousands a transaction: nobody waits long to write.

    Args:
        write: begins a transaction, at the end of which it is committed.
        table: of the rows.
        dataset_id: of the dataset.
    """
    some = select(table.id).where(table.dataset_id == dataset_id).limit(ROWS_AT_ONCE)
    gone = True
    while gone:
        with write() as session:
            gone = bool(session.execute(delete(table).where(table.id.in_(some)).returning(table.id)).all())
