"""Who asks: the document."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.auth.identity import Identity, KeyLimits, KeyScope
from app.http.schemas import Document
from store.tables import ApiKey


class KeyDocument(Document):
    """An API key, without its text."""

    id: str
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None


class LimitsDocument(Document):
    """How much may be done with the key; all but the requests hold for whatever its owner has."""

    requests_per_minute: int
    stored_bytes: int
    items: int
    concurrent_jobs: int
    queued_jobs: int
    database_bytes: int


class UsageDocument(Document):
    """What is taken of each limit."""

    requests_per_minute: Annotated[
        int | None,
        Field(description="Requests in the last 60 seconds, this one among them; null while there are no keys."),
    ]
    stored_bytes: int
    items: int
    concurrent_jobs: int
    queued_jobs: int
    database_bytes: int


class MeDocument(Document):
    """Who asks, with what they may do and what their owner uses."""

    object: Literal["me"]
    owner: str
    key: Annotated[KeyDocument | None, Field(description="Null while there are no keys.")]
    scopes: list[KeyScope]
    limits: Annotated[LimitsDocument | None, Field(description="Null while there are no keys, and no limits.")]
    usage: UsageDocument


def show_me(identity: Identity, usage: UsageDocument) -> MeDocument:
    """Return the document of whoever asks."""
    return MeDocument(
        object="me",
        owner=identity.owner,
        key=None if identity.key is None else _show_key(identity.key),
        scopes=[scope for scope in KeyScope if identity.may(scope)],
        limits=None if identity.limits is None else _show_limits(identity.limits),
        usage=usage,
    )


def _show_key(key: ApiKey) -> KeyDocument:
    return KeyDocument(
        id=key.id, name=key.name, prefix=key.prefix, created_at=key.created_at, expires_at=key.expires_at
    )


def _show_limits(limits: KeyLimits) -> LimitsDocument:
    return LimitsDocument(**vars(limits))
