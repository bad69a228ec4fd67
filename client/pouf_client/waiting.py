"""Waiting for what the service does in the background."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from pouf_client.connection import Connection
from pouf_client.errors import ApiError, Deleted, NotFound, Unreachable, WaitTimeout
from pouf_client.progress import Shown, showing

#: How long the service may stay away.
AWAY_SECONDS = 60.0
#: While somebody watches; the service answers at once when the end is reached.
WATCHED_WAIT_SECONDS = 1
PAUSE_SECONDS = 0.3


class Awaited(Shown, Protocol):
    """A job, dataset or batch prediction."""

    @property
    def final(self) -> bool:
        """Whether it will not change any more."""


A = TypeVar("A", bound=Awaited)


async def until_final(
    connection: Connection,
    read: Callable[[int], Awaitable[A]],
    *,
    timeout: float | None,
    on_progress: Callable[[A], None] | None,
    progress: bool,
) -> A:
    """What `read` gives when it is final.

    Args:
        connection: for pauses.
        read: asks for the present state, which the service may hold back for so many seconds until it is final.
        timeout: seconds to wait at most; None: as long as it takes.
        on_progress: called with the first state, and with each that differs from the last.
        progress: show a bar, by rich or tqdm.

    Raises:
        WaitTimeout: `timeout` seconds have passed.
        NotFound: it is not there; `Deleted` where it was at first.
        InvalidInput: `progress` without rich or tqdm.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    held_back = WATCHED_WAIT_SECONDS if progress or on_progress else connection.longest_wait
    seen: A | None = None
    with showing(progress) as show:
        while True:
            left = max(0.0, deadline - time.monotonic())
            held = partial(read, math.floor(min(held_back, left)))
            state = await _read(connection, held, min(deadline, time.monotonic() + AWAY_SECONDS), seen)
            if state != seen:
                show(state)
                if on_progress:
                    on_progress(state)
            if state.final:
                return state
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(
                    f"{state.id} is still {state.status} after {timeout:g} s; it goes on: wait again, with a larger "
                    "timeout.",
                    code="wait_timeout",
                    field="timeout",
                )
            seen = state
            await connection.pause(min(PAUSE_SECONDS, left))


async def _read(connection: Connection, read: Callable[[], Awaitable[A]], given_up: float, seen: A | None) -> A:
    """The present state; a service that is away, as when it is restarted, is asked again until it is `given_up`."""
    while True:
        try:
            return await read()
        except (Unreachable, ApiError) as error:
            if isinstance(error, NotFound) and seen is not None:
                raise Deleted(error, seen.id) from error
            if not error.passing or time.monotonic() > given_up:
                raise
        await connection.pause(1)
