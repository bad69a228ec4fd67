"""API keys: made, listed and revoked by the command line, which has the database, on a page, or over HTTP."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.auth import key_queries as repository
from app.auth.key_text import digest, is_well_formed, new_key_text, prefix_of
from app.auth.pepper import make_pepper
from app.http.query_parameters import PageQuery, decode_cursor, page
from app.http.schemas import ListDocument
from app.keys.schemas import ApiKeyDocument, show_key
from store.clock import utcnow
from store.database import Database
from store.ids import new_id
from store.settings import Settings
from store.tables import ApiKey

logger = logging.getLogger(__name__)

BOOTSTRAP_NAME = "bootstrap"
#: What keeps the answer in the transaction that makes the key.
OnMade = Callable[[Session, ApiKey], None]


class NoSuchKey(Exception):
    """No key, or more than one, has that id or prefix."""


class MalformedKey(Exception):
    """A text that is no API key, or was mistyped."""


@dataclass(frozen=True)
class NewKey:
    """What a key is made with; `limits` holds those that differ from the settings'."""

    owner: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None = None
    limits: Mapping[str, int] | None = None


def create(
    settings: Settings,
    database: Database,
    wanted: NewKey,
    text: str | None = None,
    *,
    by: str = "whoever has the database",
    on_made: OnMade = lambda session, key: None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, a new one unless given; only the text's HMAC is kept.

    Args:
        settings: where the secret is that texts are hashed under.
        database: where the key is kept.
        wanted: what it may do.
        text: of the key.
        by: whom the log names as its maker.
        on_made: called in the transaction.

    Raises:
        MalformedKey: the given text is no key.
        IntegrityError: it is one already.
    """
    text = new_key_text() if text is None else text
    if not is_well_formed(text):
        raise MalformedKey("This is no API key; `pouf keys generate` makes one.")
    key = ApiKey(
        id=new_id("key"),
        owner=wanted.owner,
        name=wanted.name,
        prefix=prefix_of(text),
        digest=digest(text, make_pepper(settings.pepper_file)),
        scopes=[str(scope) for scope in wanted.scopes],
        expires_at=wanted.expires_at,
        **(wanted.limits or {}),
    )
    with database.write() as session:
        session.add(key)
        session.flush()
        on_made(session, key)
    scopes = ", ".join(key.scopes)
    logger.info("key %s (%s…, %s) of %s was made by %s", key.id, key.prefix, scopes, key.owner, by)
    return key, text


def list_all(database: Database) -> Sequence[ApiKey]:
    """Return every key, oldest first."""
    with database.read() as session:
        return repository.list_keys(session)


def list_page(database: Database, query: PageQuery) -> ListDocument[ApiKeyDocument]:
    """Return a page of the keys, newest first."""
    with database.read() as session:
        rows = repository.newest_keys(session, decode_cursor(query.cursor), query.limit + 1)
    return page(rows, query.limit, show_key, lambda row: row.id)


def revoke(database: Database, id_or_prefix: str, *, by: str = "whoever has the database") -> ApiKey:
    """Revoke a key, at once and permanently; one that was revoked before stays as it is. Raises `NoSuchKey`."""
    with database.write() as session:
        found = repository.find_keys(session, id_or_prefix)
        if len(found) != 1:
            count = len(found) or "No"
            raise NoSuchKey(f"{count} keys are called {id_or_prefix!r}; `pouf keys list` shows their ids.")
        key = found[0]
        key.revoked_at = key.revoked_at or utcnow()
    logger.info("key %s (%s…) of %s was revoked by %s", key.id, key.prefix, key.owner, by)
    return key
