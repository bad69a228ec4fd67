"""How bytes travel: by blocking calls, or on an event loop. Everything else of the client is written once, over this.

The client's methods are coroutines. Over a `BlockingTransport` nothing in them waits for an event loop, so that
`pouf_client.blocking` runs each in one step. That spares a second copy of the client, written or generated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

import httpx

T = TypeVar("T")


class Transport(Protocol):
    """A connection to one service; what sends raises `httpx.TransportError`."""

    @property
    def http(self) -> httpx.Client | httpx.AsyncClient:
        """What builds requests."""

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer."""

    def stream(self, request: httpx.Request) -> AbstractAsyncContextManager[httpx.Response]:
        """Send a request whose answer is then read by one of the next three."""

    async def read(self, response: httpx.Response) -> bytes:
        """All of it."""

    def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """As it comes."""

    def lines(self, response: httpx.Response) -> AsyncIterator[str]:
        """Line by line, as they come."""

    async def pause(self, seconds: float) -> None:
        """Wait."""

    async def work(self, job: Callable[[], T]) -> T:
        """Do something that reads files or computes, without holding up an event loop."""

    async def close(self) -> None:
        """Close the connection."""


class BlockingTransport:
    """Blocking calls."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    async def send(self, request: httpx.Request) -> httpx.Response:
        return self.http.send(request)

    @asynccontextmanager
    async def stream(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        response = self.http.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    async def read(self, response: httpx.Response) -> bytes:
        return response.read()

    async def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        for chunk in response.iter_bytes():
            yield chunk

    async def lines(self, response: httpx.Response) -> AsyncIterator[str]:
        for line in response.iter_lines():
            yield line

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    async def work(self, job: Callable[[], T]) -> T:
        return job()

    async def close(self) -> None:
        self.http.close()


class AsyncTransport:
    """Calls on asyncio's event loop."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def send(self, request: httpx.Request) -> httpx.Response:
        return await self.http.send(request)

    @asynccontextmanager
    async def stream(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        response = await self.http.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def read(self, response: httpx.Response) -> bytes:
        return await response.aread()

    def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        return response.aiter_bytes()

    def lines(self, response: httpx.Response) -> AsyncIterator[str]:
        return response.aiter_lines()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def work(self, job: Callable[[], T]) -> T:
        return await asyncio.to_thread(job)

    async def close(self) -> None:
        await self.http.aclose()
