"""What surrounds every request: its id, a bound on its body, its count and duration, and the last-resort error."""

import asyncio
import errno
import logging
import os
import re
import time
from collections.abc import Callable
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.content_types import refuse_encoded
from app.http.errors import ApiError, body_too_large, client_left, no_space, problem_response
from app.http.metrics import HttpMetrics
from app.http.slow_clients import (
    MINIMUM_BYTES_PER_SECOND,
    MINIMUM_BYTES_PER_SECOND_IN_MEMORY,
    with_slow_client_timeout,
)
from pouf_core.data.limited_process import ReaderUnavailable
from store.disk import is_disk_full
from store.ids import new_id
from store.outages import StorageUnavailable, is_database_outage, is_outage

logger = logging.getLogger(__name__)

# asked for all the time by machines; only their failures are worth a line
PROBED = frozenset({"/health/live", "/health/ready", "/metrics"})
LOGGED_CHARACTERS = 500
ACCEPTED_REQUEST_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)

SHUTTING_DOWN = ApiError(
    503,
    "shutting_down",
    "The service is being stopped; try again.",
    headers={"Retry-After": "5", "x-should-retry": "true"},
)


class RequestContext:
    """ASGI middleware.

    Args:
        app: what it surrounds.
        limit_of: gives the largest body, in bytes, that a path accepts.
        is_streamed: tells of a path whether its bodies go to disk as they come.
        metrics: counts requests.
        stall_seconds: the slow-client timeout of bodies.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit_of: Callable[[str], int],
        is_streamed: Callable[[str], bool],
        metrics: HttpMetrics,
        stall_seconds: float,
    ) -> None:
        self.app = app
        self.limit_of = limit_of
        self.is_streamed = is_streamed
        self.metrics = metrics
        self.stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["request_id"] = _request_id(scope)
        answer = _Answer(send, scope["request_id"])
        started = time.perf_counter()
        try:
            await self._handle(scope, receive, answer)
        finally:
            self._record(scope, answer.status, time.perf_counter() - started)

    async def _handle(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        limit = self.limit_of(scope["path"])
        try:
            refuse_encoded(Headers(scope=scope))
            _refuse_announced(scope, limit)
            streamed = self.is_streamed(scope["path"])
            rate = MINIMUM_BYTES_PER_SECOND if streamed else MINIMUM_BYTES_PER_SECOND_IN_MEMORY
            bounded = _bounded(with_slow_client_timeout(receive, self.stall_seconds, rate), limit)
            await self.app(scope, bounded, answer.send)
        except asyncio.CancelledError:
            # the server stops, and has waited for the request as long as it may
            if answer.status:
                raise
            await problem_response(Request(scope), SHUTTING_DOWN)(scope, receive, answer.send)
        except Exception as failure:
            error = _as_api_error(failure)
            _log(failure, error, scope["request_id"])
            if answer.status:
                raise
            await problem_response(Request(scope), error)(scope, receive, answer.send)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self.metrics.observe(scope["method"], route, status, seconds)
        probed = scope["path"] in PROBED and status == 200
        # whoever has no key writes no lines: the metrics count them
        level = logging.DEBUG if probed or status == 401 else logging.INFO
        # quoted again: a line break in a path must not become one in the log
        path, method = quote(scope["path"])[:LOGGED_CHARACTERS], quote(scope["method"])[:LOGGED_CHARACTERS]
        logger.log(level, "%s %s %s %.0f ms %s", method, path, status, 1000 * seconds, scope["request_id"])


class _Answer:
    """Adds the request's id to the answer, and remembers its status: 0 until the answer has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.status = 0
        self._send = send
        self._request_id = request_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", []), (b"x-request-id", self._request_id.encode())]
        await self._send(message)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ACCEPTED_REQUEST_ID.fullmatch(given := value.decode("latin-1")):
            return str(given)
    return new_id("req")


def _log(failure: Exception, error: ApiError, request_id: str) -> None:
    """What the service itself could not do: a line where something that it needs is away, else the traceback."""
    if error.status == 500:
        logger.error("request %s failed", request_id, exc_info=failure)
    elif error is not failure and error.status > 500:
        logger.error("request %s failed: %s: %s", request_id, error.code, str(failure).partition("\n")[0])


def _as_api_error(failure: Exception) -> ApiError:
    if isinstance(failure, ApiError):
        return failure
    if isinstance(failure, ClientDisconnect):
        return client_left()
    if is_disk_full(failure):
        return no_space()
    headers = {"Retry-After": "2", "x-should-retry": "true"}
    if is_database_outage(failure):
        return ApiError(503, "database_unavailable", "The database does not answer; try again.", headers=headers)
    if isinstance(failure, StorageUnavailable):
        headers["Retry-After"] = "5"
        return ApiError(503, "storage_unavailable", "The object storage does not answer; try again.", headers=headers)
    if isinstance(failure, ReaderUnavailable):
        said = "The service can read no file now, whichever it is; try again."
        return ApiError(503, "reader_unavailable", said, headers=headers)
    lack = _lack(failure)
    if lack is not None:
        return ApiError(503, "machine_unavailable", f"The service's machine cannot do it now: {lack}.", headers=headers)
    return ApiError(500, "internal_error", "Something went wrong here; quote the request id to report it.")


def _lack(failure: Exception) -> str | None:
    """What the machine lacks: memory, open files, a disk that can be written to, a place for temporary files."""
    if isinstance(failure, MemoryError):
        return os.strerror(errno.ENOMEM)
    if isinstance(failure, FileNotFoundError) and is_outage(failure):
        return "there is no directory for temporary files (TMPDIR)"
    return os.strerror(failure.errno or 0) if isinstance(failure, OSError) and is_outage(failure) else None


def _refuse_announced(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise body_too_large(limit)


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise body_too_large(limit)
        return message

    return bounded
