"""What surrounds every request: its id, a bound on its body, its count and duration, and the last-resort error."""

import logging
import re
import time
from collections.abc import Callable
from urllib.parse import quote

from sqlalchemy.exc import OperationalError as SQLOperationalError
from sqlalchemy.exc import TimeoutError as SQLTimeoutError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import ApiError, problem_response
from app.http.metrics import HttpMetrics
from app.http.slow_clients import patient
from store.disk import is_disk_full
from store.ids import new_id

logger = logging.getLogger(__name__)

# asked for all the time by machines; only their failures are worth a line
PROBED = frozenset({"/health/live", "/health/ready", "/metrics"})
ACCEPTED_REQUEST_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)


class RequestContext:
    """ASGI middleware; `limit_of(path)` gives the largest body, in bytes, that a path accepts.

    `patience`: seconds that a body may stop for.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int], metrics: HttpMetrics, patience: float) -> None:
        self.app = app
        self.patience = patience
        self.limit_of = limit_of
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        limit = self.limit_of(scope["path"])
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            try:
                _refuse_announced(scope, limit)
                await self.app(scope, _bounded(patient(receive, self.patience), limit), send_with_id)
            except ApiError as error:
                if status:
                    raise
                await problem_response(Request(scope), error)(scope, receive, send_with_id)
            except Exception as failure:
                logger.exception("request %s failed", request_id)
                if status:
                    raise
                await problem_response(Request(scope), _last_resort(failure))(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = time.perf_counter() - started
            self.metrics.observe(scope["method"], route, status, seconds)
            level = logging.DEBUG if scope["path"] in PROBED and status == 200 else logging.INFO
            # quoted again: a line break in a path must not become one in the log
            path = quote(scope["path"])
            logger.log(level, "%s %s %s %.0f ms %s", scope["method"], path, status, 1000 * seconds, request_id)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ACCEPTED_REQUEST_ID.fullmatch(given := value.decode("latin-1")):
            return str(given)
    return new_id("req")


def _last_resort(failure: Exception) -> ApiError:
    if is_disk_full(failure):
        return ApiError(507, "storage_full", "There is no space left on the disk; try again once somebody made room.")
    if isinstance(failure, SQLOperationalError | SQLTimeoutError):
        headers = {"Retry-After": "2", "x-should-retry": "true"}
        return ApiError(503, "database_unavailable", "The database does not answer; try again.", headers=headers)
    return ApiError(500, "internal_error", "Something went wrong here; quote the request id to report it.")


def _refuse_announced(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise too_large(limit)


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large(limit)
        return message

    return bounded


def too_large(limit: int) -> ApiError:
    """Return the 413 for a body above `limit` bytes."""
    return ApiError(413, "body_too_large", f"The request body is larger than {limit:,} bytes.")
