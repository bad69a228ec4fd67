"""Requests with retries: every one is safe to send twice, since what creates carries an Idempotency-Key."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import httpx

from pouf_client.addresses import without_password
from pouf_client.errors import ApiError, ClosedClient, InvalidInput, NotFound, Unreachable, retry_after_of
from pouf_client.results import Document, stated
from pouf_client.transport import Transport

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
#: The service holds no answer back for longer.
LONGEST_WAIT_SECONDS = 30

T = TypeVar("T")


class Connection:
    """Requests to one service over a transport.

    Args:
        transport: blocking, or on an event loop.
        retries: how often a request is sent again after a connection error or a passing refusal (429, 502–504).
    """

    def __init__(self, transport: Transport, retries: int) -> None:
        self._transport = transport
        self._retries = retries

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    @property
    def longest_wait(self) -> int:
        """Seconds that an answer may be held back before a read times out."""
        read = self._transport.http.timeout.read
        return LONGEST_WAIT_SECONDS if read is None else min(LONGEST_WAIT_SECONDS, int(read / 2))

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await self._transport.pause(seconds)

    async def work(self, job: Callable[[], T]) -> T:
        """Do something that reads files or computes, without holding up an event loop."""
        return await self._transport.work(job)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Document | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
        content: tuple[str, bytes] | None = None,
        wait: int | None = None,
        patient: bool = False,
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
            wait: seconds, at most 30, that the service may take until the resource has reached a final state.
            patient: whether to wait for the answer as long as it takes, and to try once only.

        Raises:
            ApiError: the service refused.
            Unreachable: no answer came.
            InvalidInput: the answer is none of a POUF service, or a text is no Unicode.
            ClosedClient: the client was closed before.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        body = None
        if content is not None:
            headers["Content-Type"], body = content
        try:
            request = self._http.build_request(
                method, path, params=params, json=json, data=form, files=files, content=body, headers=headers
            )
        except UnicodeEncodeError as error:
            raise _no_unicode(error) from None
        if patient:
            request.extensions["timeout"]["read"] = None
            return await self._send(request)
        return await self._tried(self._deletion(request) if method == "DELETE" else partial(self._send, request))

    async def _tried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` returns, made again after errors that may pass."""
        pause = FIRST_PAUSE_SECONDS
        for retries_left in range(self._retries, -1, -1):
            try:
                return await attempt()
            except (ApiError, Unreachable) as error:
                if not (retries_left and error.passing):
                    raise
                await self.pause(error.retry_after or pause)
                pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
        raise AssertionError("the last try returns or raises")

    def _deletion(self, request: httpx.Request) -> Callable[[], Awaitable[Document]]:
        """What sends a DELETE; after an answer to it was lost, 404 says that it was done."""
        lost = False

        async def attempt() -> Document:
            nonlocal lost
            try:
                return await self._send(request)
            except Unreachable:
                lost = True
                raise
            except NotFound:
                if lost:
                    return {}
                raise

        return attempt

    async def _send(self, request: httpx.Request) -> Document:
        try:
            response = await self._transport.send(request)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise ApiError.of(response)
        if not response.content:
            return {}
        try:
            return dict(response.json())
        except (ValueError, TypeError) as error:
            raise self._no_service(response) from error

    async def pages(self, path: str, **filters: str | int | None) -> AsyncIterator[Document]:
        """Each element of a list, page after page; filters that are None are left out."""
        query = stated(filters)
        while True:
            page = await self.request("GET", path, params={"limit": 100, **query})
            for element in page["data"]:
                yield element
            if not page.get("has_more"):
                return
            query["cursor"] = page["next_cursor"]

    async def lines(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[str]:
        """GET an answer line by line, as they come; raises as `request`."""
        async with self._stream(path, headers=headers) as response:
            async for line in self._transport.lines(response):
                yield line

    async def content(self, path: str) -> bytes:
        """GET a small file; tries and raises as `request`."""

        async def read() -> bytes:
            async with self._stream(path) as response:
                return await self._transport.read(response)

        return await self._tried(read)

    async def fetch(self, path: str, file: BinaryIO, params: Mapping[str, str] | None = None) -> None:
        """GET a file and write it to `file`; waits as long as the service is making it, and tries as `request`.

        Args:
            path: below the base URL.
            file: empty, and such that its beginning can be written again.
            params: the query.

        Raises:
            ApiError: the service refused.
            Unreachable: the answer was cut short.
        """
        while (seconds := await self._tried(partial(self._fetch_made, path, file, params))) is not None:
            await self.pause(seconds)

    async def _fetch_made(self, path: str, file: BinaryIO, params: Mapping[str, str] | None) -> float | None:
        """As `fetch`; returns after how many seconds to ask again where the service is still making it, else None."""
        async with self._stream(path, {"Prefer": f"wait={self.longest_wait}"}, params) as response:
            if response.status_code == httpx.codes.ACCEPTED:
                await self._transport.read(response)
                seconds = retry_after_of(response)
                return FIRST_PAUSE_SECONDS if seconds is None else seconds
            file.seek(0)
            file.truncate()
            async for chunk in self._transport.chunks(response):
                file.write(chunk)
            return None

    async def save(self, path: str, params: Mapping[str, str], target: str | Path) -> Path:
        """GET a file, and return where it lies: whole, or not at all; raises as `fetch`."""
        place = Path(target)
        unfinished = place.with_name(f".{place.name}.part")
        try:
            with unfinished.open("wb") as file:
                await self.fetch(path, file, params)
            unfinished.replace(place)
        finally:
            unfinished.unlink(missing_ok=True)
        return place

    @asynccontextmanager
    async def _stream(
        self, path: str, headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        request = self._http.build_request("GET", path, headers=headers, params=params)
        try:
            async with self._transport.stream(request) as response:
                if not response.is_success:
                    await self._transport.read(response)
                    raise ApiError.of(response)
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    @property
    def _http(self) -> httpx.Client | httpx.AsyncClient:
        if self._transport.http.is_closed:
            raise ClosedClient
        return self._transport.http

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        reason = str(error) or type(error).__name__
        address = without_password(self._transport.http.base_url)
        return Unreachable(f"No answer from {address} ({reason}): start the service there, or give the address of one")

    def _no_service(self, response: httpx.Response) -> InvalidInput:
        return InvalidInput(
            f"{without_password(response.url)} answered, but not as a POUF service does: give the address of one, "
            "such as http://127.0.0.1:8000.",
            code="not_a_pouf_service",
            field="base_url",
        )


def _no_unicode(error: UnicodeEncodeError) -> InvalidInput:
    shown = error.object[: error.end].rpartition('"')[2][-20:]  # of JSON, the text alone
    return InvalidInput(f"{shown!r} holds bytes that are no UTF-8 text: write it in UTF-8.", code="not_unicode")


def path_to(collection: str, *parts: str) -> str:
    """The path of a collection of the API, or of what lies below it: its id, and so on, quoted.

    Raises:
        InvalidInput: a part is no text, such as the model's id of a job that has not succeeded.
    """
    what = collection.removesuffix("s")
    return "/".join(["/v1", collection, *(quote(checked_id(part, what), safe="", errors="replace") for part in parts)])


def checked_id(given: str | None, what: str) -> str:
    """The id, or name, of `what`.

    Raises:
        InvalidInput: it is none, such as the model's id of a job that has not succeeded.
    """
    if isinstance(given, str) and given.strip():
        return given
    hint = ": a job has its model_id when it has succeeded" if given is None and what == "model" else ""
    raise InvalidInput(f"Give the id of a {what}, not {given!r}{hint}.", code="no_id", field=what)
