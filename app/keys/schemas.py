"""API keys: what a new one may do, and the documents of keys and of who asks."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from app.auth.identity import Identity, KeyLimits, KeyScope
from app.auth.key_names import is_key_name
from app.http.query_parameters import TIME
from app.http.schemas import NAME, Closed, Document, told_as
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


OWNER = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$"),
    told_as("An owner has letters, digits and ._@- only, at most 63, and begins with a letter or a digit."),
    Field(description="Whose data the key opens; letters, digits, `._@-`."),
]
LIMIT = Annotated[int | None, Field(ge=1, le=2**53, description="Null: that of the settings.")]


def _recognisable(name: str) -> str:
    if not is_key_name(name):
        raise ValueError("A key's name has 1 to 200 printable characters.")
    return name


KEY_NAME = Annotated[NAME, AfterValidator(_recognisable), Field(description="Printable characters, not only blanks.")]


class OwnLimits(Closed):
    """Limits of a key that are its own."""

    requests_per_minute: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    stored_bytes: LIMIT = None
    items: LIMIT = None
    concurrent_jobs: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    queued_jobs: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None


class KeyCreate(Closed):
    """A key to make. What is not stated is at most what the key that makes it has."""

    name: KEY_NAME
    owner: Annotated[OWNER | None, Field(description="Null: the owner of the key that makes it.")] = None
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=4)] = [
        KeyScope.READ,
        KeyScope.WRITE,
        KeyScope.PREDICT,
    ]
    expires_at: Annotated[TIME | None, Field(description="Null: as late as the key that makes it.")] = None
    limits: OwnLimits = OwnLimits()


class ApiKeyDocument(KeyDocument):
    """An API key of any owner, without its text."""

    object: Literal["api_key"]
    owner: str
    scopes: list[KeyScope]
    limits: Annotated[dict[str, int | None], Field(description="Its own; null: that of the settings.")]
    last_used_at: Annotated[datetime | None, Field(description="To the minute.")]
    revoked_at: datetime | None


class CreatedKeyDocument(ApiKeyDocument):
    """A key that was just made."""

    secret: Annotated[
        str | None,
        Field(description="The key itself, this once. Null in the answer to a repeated request: it is not kept."),
    ]


def show_key(key: ApiKey) -> ApiKeyDocument:
    """Return the document of a key."""
    return ApiKeyDocument(
        **dict(_show_key(key)),
        object="api_key",
        owner=key.owner,
        scopes=[KeyScope(scope) for scope in key.scopes],
        limits={name: getattr(key, name) for name in OwnLimits.model_fields},
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )
