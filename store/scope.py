"""Which rows a caller may see; every query for a caller starts here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, false, func, select
from sqlalchemy.orm import Session

from store.locks import hold
from store.tables.base import Base

Row = TypeVar("Row", bound=Base)

#: Rows made next to each other whose ids may be in another order than their times.
DISORDER = 1000


@dataclass(frozen=True)
class Scope:
    """A session as one owner sees it."""

    session: Session
    owner: str

    def select(self, model: type[Row]) -> Select[Row]:
        """Return a query over the owner's rows of `model` that are not deleted."""
        table: Any = model
        query = select(model).where(table.owner == self.owner)
        return query.where(table.deleted_at.is_(None)) if hasattr(model, "deleted_at") else query

    def select_by_id(self, model: type[Row], row_id: str) -> Select[Row]:
        """Return a query for the owner's row with that id."""
        table: Any = model
        # no id looks otherwise, and PostgreSQL refuses to compare some of it
        possible = row_id.isascii() and row_id.isprintable()
        return self.select(model).where(table.id == row_id if possible else false())

    def lock(self, name: str) -> None:
        """Wait until no other transaction of the owner's holds `name`, and hold it until this one ends."""
        hold(self.session, f"{self.owner} {name}")

    def get(self, model: type[Row], row_id: str, *, lock: bool = False) -> Row | None:
        """Return the owner's row with that id, locked until the transaction ends when `lock`."""
        query = self.select_by_id(model, row_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return self.session.scalars(query).one_or_none()

    def missing(self, model: type[Row], row_ids: Iterable[str | None]) -> frozenset[str]:
        """Return those of the ids that are of no row of the owner's, or of one that is deleted."""
        named = {row_id for row_id in row_ids if row_id is not None}
        table: Any = model
        found = self.session.scalars(self.select(model).with_only_columns(table.id).where(table.id.in_(named)))
        return frozenset(named.difference(found.all()))


@dataclass(frozen=True)
class Filters:
    """What lists can be narrowed by; `after_id` is the last row of the previous page."""

    status: str | None = None
    name: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    after_id: str | None = None


def newest_first(query: Select[Row], model: type[Row], filters: Filters, limit: int) -> Select[Row]:
    """Narrow and order `query`, newest first, for up to `limit` rows.

    Args:
        query: the owner's rows.
        model: their table.
        filters: what to narrow it by.
        limit: most rows.
    """
    table: Any = model
    within = _within(query, table, filters)
    if filters.status is not None and hasattr(model, "status"):
        query = query.where(table.status == filters.status)
    if filters.name is not None:
        query = query.where(table.name == filters.name)
    if filters.created_after is not None:
        query = query.where(table.created_at > filters.created_after)
    if filters.created_before is not None:
        query = query.where(table.created_at < filters.created_before)
    if filters.after_id is not None:
        query = query.where(table.id < filters.after_id)
    return query.where(*within).order_by(table.id.desc()).limit(limit)


def _within(query: Select[Row], table: Any, filters: Filters) -> Iterator[ColumnElement[bool]]:
    """Bounds of ids that follow from the times, so that an index by id is read from there on, not from its end.

    Ids and times are in the same order but for requests at the same moment, of which `DISORDER` is far more.
    """
    ids, created = query.with_only_columns(table.id), table.created_at
    if filters.created_before is not None:
        last = ids.where(created < filters.created_before).order_by(created.desc()).limit(DISORDER).subquery()
        yield table.id <= select(func.max(last.c.id)).scalar_subquery()
    if filters.created_after is not None:
        first = ids.where(created > filters.created_after).order_by(created).limit(DISORDER).subquery()
        yield table.id >= select(func.min(first.c.id)).scalar_subquery()
