"""From the Authorization header, or the cookie of a browser that is signed in, to the identity behind it."""

import hmac
import ipaddress
import logging
import threading
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth import key_queries as repository
from app.auth import sessions
from app.auth.hosts import check_host_and_origin
from app.auth.identity import Identity, KeyLimits, KeyScope
from app.auth.key_text import digest, is_well_formed, prefix_of
from app.auth.pepper import read_pepper
from app.auth.rate_limit import RateLimiter
from app.http.errors import ApiError, forbidden, too_many, unauthorized
from app.http.executors import authenticating
from pouf_core.contract.counts import counted
from store.clock import utcnow
from store.database import Database
from store.settings import Settings
from store.tables import ApiKey

logger = logging.getLogger(__name__)

HOW_TO_MAKE_A_KEY = "pouf keys create --name NAME"
# what machines probe, and what says nothing of what is stored: the documentation, and where people sign in
OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json", "/docs", "/guide", "/sign-in"})
OPEN_FOLDERS = ("/assets/", "/guide/")
SIGN_INS_PER_MINUTE = 10
LAST_USED_PRECISION = timedelta(minutes=1)


class Authentication:
    """ASGI middleware that puts the identity behind each request into its scope, and refuses requests without one.

    It comes before anything else: without a valid key no body is read and no route found. The authenticator is the
    application's, made when it starts.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_open(scope["path"]):
            authenticator: Authenticator = scope["app"].state.authenticator
            headers = Request(scope).headers
            call = (scope["method"], headers, scope.get("server"))
            scope["identity"] = await authenticating(authenticator.identify, *call)
        await self.app(scope, receive, send)


class Authenticator:
    """Identifies callers; until the first key is made everybody on this machine is the settings' owner."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._rate_limiter = RateLimiter(settings.redis_url)
        self._pepper: bytes | None = None
        self._lock = threading.Lock()
        self._keys_exist = False

    def identify(self, method: str, headers: Mapping[str, str], server: tuple[str, int | None] | None) -> Identity:
        """Return who asks, and count the request.

        Args:
            method: of the request.
            headers: of the request, by names in lower case.
            server: where the connection came in.

        Raises:
            ApiError: 401 ``missing_api_key``, ``invalid_api_key``, ``expired_api_key``, ``revoked_api_key`` or
                ``signed_out``; 403 ``no_api_keys``; 429 ``rate_limited``; without keys as `check_host_and_origin`, of
                browsers that are signed in as `require_own_page`.
        """
        if not self.keys_needed():
            identity = self._local(server)
            check_host_and_origin(headers.get("host"), headers.get("origin"), self._settings.allowed_hosts)
            return identity
        session_id = sessions.id_in(headers.get("cookie"))
        if session_id is None or "authorization" in headers:
            return self._counted(self._verified(_bearer(headers.get("authorization"))))
        key = self._signed_in(session_id)
        sessions.require_own_page(method, headers, session_id, self._settings.allowed_hosts)
        return self._counted(key, sessions.token_of(session_id))

    def sign_in(self, text: str, headers: Mapping[str, str], address: str) -> str:
        """Sign a browser in by a key's text; returns the id for its cookie.

        Args:
            text: of the key.
            headers: of the request, by names in lower case.
            address: where the browser is; so many may try so often.

        Raises:
            ApiError: 401 as `identify`; 403 ``origin_not_allowed``; 429 ``rate_limited``.
        """
        sessions.require_own_origin(headers, self._settings.allowed_hosts)
        wait = self._rate_limiter.hit(f"sign-in {address}", SIGN_INS_PER_MINUTE)
        if wait is not None:
            raise too_many("rate_limited", f"Too many tries to sign in; try again in {wait} s.", wait)
        key = self._verified(text)
        with self._database.write() as session:
            session_id = sessions.begin(session, key, utcnow())
        logger.info("a browser was signed in by key %s…", key.prefix)
        return session_id

    def sign_out(self, headers: Mapping[str, str]) -> None:
        """Sign the browser out that sent the headers."""
        session_id = sessions.id_in(headers.get("cookie"))
        if session_id is not None:
            with self._database.write() as session:
                sessions.end(session, session_id)

    def _signed_in(self, session_id: str) -> ApiKey:
        with self._database.read() as session:
            key = sessions.key_of(session, session_id, utcnow())
        if key is None:
            raise unauthorized("signed_out", "You are not signed in any more.")
        return _require_valid(key)

    def _counted(self, key: ApiKey, page_token: str | None = None) -> Identity:
        limits = KeyLimits.of(key, self._settings)
        wait = self._rate_limiter.hit(key.id, limits.requests_per_minute)
        if wait is not None:
            message = (
                f"This key allows {counted(limits.requests_per_minute, 'request')} a minute; try again in {wait} s."
            )
            raise too_many("rate_limited", message, wait)
        self._note_use(key)
        return Identity(key.owner, frozenset(key.scopes), key, limits, page_token)

    def requests_in_last_minute(self, identity: Identity) -> int | None:
        """Return how many requests were made with the caller's key; None of a caller without one."""
        if identity.key is None or identity.limits is None:
            return None
        return self._rate_limiter.used(identity.key.id, identity.limits.requests_per_minute)

    def keys_needed(self) -> bool:
        """Tell whether there are keys. Once there is a key there always is one: they are revoked, never deleted."""
        if not self._keys_exist:
            with self._database.read() as session:
                self._keys_exist = repository.any_key(session)
        return self._keys_exist

    def _local(self, server: tuple[str, int | None] | None) -> Identity:
        if reached_from_elsewhere(server):
            raise forbidden(
                "no_api_keys",
                "Without API keys this service answers on loopback only. "
                f"Make a key on the machine that it runs on: {HOW_TO_MAKE_A_KEY}",
            )
        return Identity(self._settings.owner, frozenset(KeyScope))

    def _verified(self, text: str) -> ApiKey:
        if not is_well_formed(text):
            raise _invalid()
        with self._database.read() as session:
            candidates = repository.with_prefix(session, prefix_of(text))
        expected = digest(text, self._read_pepper())
        matching = [key for key in candidates if hmac.compare_digest(key.digest, expected)]
        if not matching:
            raise _invalid()
        # the caller holds the whole key, and may learn that it was revoked or has expired
        return _require_valid(matching[0])

    def _read_pepper(self) -> bytes:
        with self._lock:
            if self._pepper is None:
                self._pepper = read_pepper(self._settings.pepper_file)
            return self._pepper

    def _note_use(self, key: ApiKey) -> None:
        now = utcnow()
        since = now - LAST_USED_PRECISION
        if key.last_used_at is not None and key.last_used_at >= since:
            return
        try:
            with self._database.write(wait=False) as session:
                repository.note_use(session, key.id, now, unless_since=since)
        except OperationalError:
            # not worth refusing what may only read
            logger.warning("the last use of key %s… could not be noted", key.prefix)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def reached_from_elsewhere(server: tuple[str, int | None] | None) -> bool:
    """Tell whether a connection came to an address of the network; `server` is that of the ASGI scope.

    A Unix socket's path is no such address.
    """
    if server is None:
        return False
    try:
        return not ipaddress.ip_address(server[0]).is_loopback
    except ValueError:
        return False


def _bearer(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise unauthorized("missing_api_key", "Send an API key: `Authorization: Bearer pouf_…`.")
    return text.strip()


def _invalid() -> ApiError:
    return unauthorized("invalid_api_key", "This is no API key of this service.")


def _require_valid(key: ApiKey) -> ApiKey:
    if key.revoked_at is not None:
        raise unauthorized("revoked_api_key", f"The API key {key.prefix}… was revoked.")
    if key.expires_at is not None and key.expires_at <= utcnow():
        raise unauthorized("expired_api_key", f"The API key {key.prefix}… has expired.")
    return key
