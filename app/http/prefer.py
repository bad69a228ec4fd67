"""``Prefer: wait=N`` (RFC 7240): answer when a resource reaches a final state or N seconds have passed."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from app.http.executors import following

MAX_WAIT_SECONDS = 30
FIRST_POLL_SECONDS = 0.1
LAST_POLL_SECONDS = 0.5
POLL_SHARE = 0.1  # of the time waited so far: what took long is asked for less often
_WAIT = re.compile(r"""(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?""", re.IGNORECASE)

T = TypeVar("T")


def _joined(
    request: Request,
    prefer: Annotated[str | None, Header(description="`wait=N` answers when the state is final, N up to 30.")] = None,
) -> str | None:
    """Return the header, which may come in several lines (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getlist("prefer")) if prefer else None


PreferHeader = Annotated[str | None, Depends(_joined)]


def wait_seconds(prefer: str | None) -> int:
    """Return N of ``wait=N``, at most 30; 0 when the header is absent or says nothing about waiting."""
    match = _WAIT.search(prefer or "")
    return min(int(match[1]), MAX_WAIT_SECONDS) if match else 0


async def settled(document: T, prefer: str | None, read: Callable[[], T], is_final: Callable[[T], bool]) -> T:
    """Return the document, or `read()` where the ``Prefer`` header asks to wait until `is_final` of it."""
    seconds = wait_seconds(prefer)
    return await wait_until(read, is_final, seconds) if seconds and not is_final(document) else document


async def wait_until(read: Callable[[], T], is_final: Callable[[T], bool], seconds: float) -> T:
    """Return `read()` as soon as `is_final` of it, or as it is after `seconds`.

    `read` runs in a thread for the moment it takes; no thread is held while waiting.
    """
    started = time.monotonic()
    deadline = started + seconds
    while True:
        value = await following(read)
        left = deadline - time.monotonic()
        if is_final(value) or left <= 0:
            return value
        pause = min(max(POLL_SHARE * (time.monotonic() - started), FIRST_POLL_SECONDS), LAST_POLL_SECONDS)
        await asyncio.sleep(min(pause, left))
