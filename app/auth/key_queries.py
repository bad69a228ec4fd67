"""Queries about API keys; the only ones that go over all owners, because they find out who the owner is."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from store.tables import ApiKey

_ANY_KEY = f"SELECT 1 FROM {ApiKey.__tablename__} LIMIT 1"  # asked with every request until there is one


def any_key(session: Session) -> bool:
    """Tell whether a key was ever made; revoked and expired ones count."""
    return session.connection().exec_driver_sql(_ANY_KEY).first() is not None


def with_prefix(session: Session, prefix: str) -> Sequence[ApiKey]:
    """Return the keys that begin like this, hardly ever more than one."""
    return session.scalars(select(ApiKey).where(ApiKey.prefix == prefix)).all()


def list_keys(session: Session) -> Sequence[ApiKey]:
    """Return every key, oldest first."""
    return session.scalars(select(ApiKey).order_by(ApiKey.id)).all()


def newest_keys(session: Session, after_id: str | None, count: int) -> Sequence[ApiKey]:
    """Return up to `count` keys, newest first, after the one with that id."""
    query = select(ApiKey).order_by(ApiKey.id.desc()).limit(count)
    return session.scalars(query if after_id is None else query.where(ApiKey.id < after_id)).all()


def find_keys(session: Session, id_or_prefix: str) -> Sequence[ApiKey]:
    """Return the keys of that id or prefix."""
    return session.scalars(select(ApiKey).where(or_(ApiKey.id == id_or_prefix, ApiKey.prefix == id_or_prefix))).all()


def note_use(session: Session, key_id: str, now: datetime, unless_since: datetime) -> None:
    """Write down that the key was used `now`, unless a use since `unless_since` is noted."""
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < unless_since)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now))


def lock_owner(session: Session, owner: str) -> None:
    """Lock the owner's keys until the transaction ends, so that limits hold under concurrency."""
    session.execute(select(ApiKey.id).where(ApiKey.owner == owner).order_by(ApiKey.id).with_for_update())
