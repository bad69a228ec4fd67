"""Requests with retries: every one is safe to send twice, since what creates carries an Idempotency-Key."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from client.errors import ApiError, Unreachable

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


class Transport:
    """An HTTP connection to one service.

    Args:
        base_url: the service, such as `http://127.0.0.1:8000`.
        api_key: sent as a bearer token.
        timeout: seconds to wait for any one read or write.
        retries: how often a request is sent again after a connection error or a passing refusal (429, 502–504).
    """

    def __init__(self, base_url: str, api_key: str | None, timeout: float, retries: int) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.http = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=timeout)
        self._retries = retries

    def json(
        self, method: str, path: str, *, before_each_try: Callable[[], object] | None = None, **request: Any
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of its answer.

        Args:
            method: GET, POST and so on; a POST gets an Idempotency-Key that all its tries share.
            path: below the base URL.
            before_each_try: rewinds what the body is read from.
            request: passed to `httpx.Client.request`.

        Raises:
            ApiError: the service refused.
            Unreachable: no answer came.
        """
        headers = dict(request.pop("headers", {}))
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        for remaining in range(self._retries, -1, -1):
            if before_each_try:
                before_each_try()
            try:
                response = self.http.request(method, path, headers=headers, **request)
            except httpx.TransportError as error:
                if not remaining:
                    raise Unreachable(f"No answer from {self.http.base_url}: {error}") from error
                pause = self._pause(remaining)
            else:
                if response.is_success:
                    return dict(response.json()) if response.content else {}
                error_answer = ApiError.of(response)
                if not remaining or not _passes(response, error_answer):
                    raise error_answer
                pause = _retry_after(response) or self._pause(remaining)
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _pause(self, remaining: int) -> float:
        return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._retries - remaining)))

    @contextmanager
    def stream(self, path: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """GET an answer that is read as it comes.

        Raises:
            ApiError: the service refused.
            Unreachable: no answer came.
        """
        try:
            with self.http.stream("GET", path, headers=headers) as response:
                if not response.is_success:
                    response.read()
                    raise ApiError.of(response)
                yield response
        except httpx.TransportError as error:
            raise Unreachable(f"No answer from {self.http.base_url}: {error}") from error


def _passes(response: httpx.Response, error: ApiError) -> bool:
    """Whether the same request may succeed later: overload, or its own first try still under way."""
    in_flight = response.status_code == 409 and "idempotency" in error.code
    return error.passing or (error.should_retry and in_flight)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds, when the service names them."""
    value = response.headers.get("Retry-After", "")
    return min(60.0, float(value)) if value.isdigit() else None
