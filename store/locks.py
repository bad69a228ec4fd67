"""Locks by name, for what rows alone cannot guard: their number, a row that is not there yet, a sum of all."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def hold(session: Session, name: str) -> None:
    """Wait until no other transaction holds `name`, and hold it until this one ends.

    SQLite's transactions that write wait for each other anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
