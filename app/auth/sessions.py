"""Browsers signed in by an API key: a random id in a cookie, of which only the hash is stored, and never the key.

A cookie goes with whatever a browser sends here, whoever made it send that. So what changes anything has to come from a
page of this service (``Origin``), and to carry what only such a page knows: a token that follows from the id.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.requests import cookie_parser

from app.http.errors import forbidden
from store.tables import ApiKey, WebSession

COOKIE = "pouf_session"
TOKEN_HEADER = "x-csrf-token"
LIFETIME = timedelta(hours=12)
ID_BYTES = 32
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def begin(session: Session, key: ApiKey, now: datetime) -> str:
    """Sign a browser in by the key; returns the id for its cookie."""
    session_id = secrets.token_urlsafe(ID_BYTES)
    row = WebSession(digest=_digest(session_id), key_id=key.id, created_at=now, expires_at=now + LIFETIME)
    session.add(row)
    return session_id


def key_of(session: Session, session_id: str, now: datetime) -> ApiKey | None:
    """Return the key that a browser was signed in by, valid or not any more; None where it is not signed in."""
    row = session.get(WebSession, _digest(session_id))
    return None if row is None or row.expires_at <= now else session.get(ApiKey, row.key_id)


def end(session: Session, session_id: str) -> None:
    """Sign a browser out."""
    session.execute(delete(WebSession).where(WebSession.digest == _digest(session_id)))


def id_in(cookies: str | None) -> str | None:
    """Return the id in a request's ``Cookie`` header."""
    return cookie_parser(cookies).get(COOKIE) if cookies else None


def token_of(session_id: str) -> str:
    """Return what pages send along with whatever changes anything."""
    return hmac.new(session_id.encode(), b"csrf", hashlib.sha256).hexdigest()


def require_own_page(method: str, headers: Mapping[str, str], session_id: str, allowed: Collection[str]) -> None:
    """Refuse what another site's page may have made a browser send.

    Raises:
        ApiError: 403 ``origin_not_allowed`` or ``csrf_token_mismatch``.
    """
    if method in SAFE_METHODS:
        return
    require_own_origin(headers, allowed)
    if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), token_of(session_id).encode()):
        raise forbidden("csrf_token_mismatch", "This page is from before you signed in: load it again.")


def require_own_origin(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Refuse what comes from no page of this service, or of the `allowed` names.

    Raises:
        ApiError: 403 ``origin_not_allowed``.
    """
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        origin = urlsplit("")
    host = headers.get("host", "").lower()
    if not origin.netloc or (origin.netloc.lower() != host and origin.hostname not in allowed):
        raise forbidden("origin_not_allowed", "Only pages of this service may do this.")


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
