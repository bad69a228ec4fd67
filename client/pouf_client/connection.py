"""Requests with retries: every one is safe to send twice, since what creates carries an Idempotency-Key."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from pouf_client.errors import ApiError, Unreachable
from pouf_client.results import Document

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


class Connection:
    """An HTTP connection to one service.

    Args:
        base_url: the service, such as `http://127.0.0.1:8000`.
        api_key: sent as a bearer token.
        timeout: seconds to wait for any one read or write.
        retries: how often a request is sent again after a connection error or a passing refusal (429, 502–504).
    """

    def __init__(self, base_url: str, api_key: str | None, timeout: float, retries: int) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=timeout)
        self._retries = retries

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Document | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
        content: tuple[str, bytes] | None = None,
    ) -> Document:
        """Send a request and return the JSON object of its answer, `{}` where it is empty.

        Args:
            method: GET, POST and so on; a POST gets an Idempotency-Key that all its tries share.
            path: below the base URL.
            params: the query.
            json: the body.
            form: in place of `json`, the fields of a multipart body.
            files: in place of `json`, the files of a multipart body, as `(name, opened file)`; each try reads them
                from their beginning.
            content: in place of `json`, a body as `(media type, bytes)`.

        Raises:
            ApiError: the service refused.
            Unreachable: no answer came.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        body = None
        if content is not None:
            headers["Content-Type"], body = content
        request = self._http.build_request(
            method, path, params=params, json=json, data=form, files=files, content=body, headers=headers
        )
        pause = FIRST_PAUSE_SECONDS
        for retries_left in range(self._retries, -1, -1):
            try:
                return self._send(request)
            except (ApiError, Unreachable) as error:
                if not (retries_left and error.passing):
                    raise
                time.sleep(error.retry_after or pause)
                pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
        raise AssertionError("the last try returns or raises")

    def _send(self, request: httpx.Request) -> Document:
        try:
            response = self._http.send(request)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise ApiError.of(response)
        return dict(response.json()) if response.content else {}

    def pages(self, path: str, **filters: str | int | None) -> Iterator[Document]:
        """Each element of a list, page after page; filters that are None are left out."""
        query = {name: value for name, value in filters.items() if value is not None}
        while True:
            page = self.request("GET", path, params={"limit": 100, **query})
            yield from page["data"]
            if not page.get("has_more"):
                return
            query["cursor"] = page["next_cursor"]

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """GET an answer that is read as it comes.

        Raises:
            ApiError: the service refused.
            Unreachable: no answer came.
        """
        try:
            with self._http.stream("GET", path, headers=headers, params=params) as response:
                if not response.is_success:
                    response.read()
                    raise ApiError.of(response)
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def save(self, path: str, params: Mapping[str, str], target: str | Path) -> Path:
        """GET a file, and return where it lies: whole, or not at all.

        Raises:
            ApiError: the service refused.
            Unreachable: the answer was cut short.
        """
        place = Path(target)
        unfinished = place.with_name(f".{place.name}.part")
        try:
            with self.stream(path, params=params) as response, unfinished.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
            unfinished.replace(place)
        finally:
            unfinished.unlink(missing_ok=True)
        return place

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(f"No answer from {self._http.base_url}: {error}")
