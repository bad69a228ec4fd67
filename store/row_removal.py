"""Removing rows, of which there may be millions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import ColumnElement, delete, inspect, select, tuple_
from sqlalchemy.orm import Session

from store.tables.base import Base

ROWS_AT_ONCE = 5000


def forget_rows(
    write: Callable[[], AbstractContextManager[Session]], table: type[Base], *which: ColumnElement[bool]
) -> int:
    """Delete rows, some thousands a transaction: nobody waits long to write. Returns how many.

    Args:
        write: begins a transaction, at the end of which it is committed.
        table: of the rows.
        which: what all of them fulfil.
    """
    key = inspect(table).primary_key
    some = select(*key).where(*which).limit(ROWS_AT_ONCE)
    gone = delete(table).where(tuple_(*key).in_(some)).returning(*key)
    count, removed = 0, ROWS_AT_ONCE
    while removed == ROWS_AT_ONCE:
        with write() as session:
            removed = len(session.execute(gone).all())
        count += removed
    return count
