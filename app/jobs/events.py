"""A job's events, read or followed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from app.caller import Caller
from app.http.errors import invalid
from app.jobs import queries as repository
from app.jobs import service as jobs
from app.jobs.schemas import show_event
from store.tables import JobEvent
from store.transitions import FINAL

POLL_SECONDS = 0.5
#: The longest pause between two looks, at a job to which nothing happens.
LAST_POLL_SECONDS = 5.0
#: A stream ends then, and its client goes on with another.
STREAM_SECONDS = 900.0
KEEPALIVE_SECONDS = 15.0
RECONNECT_MS = 2000
PAGE = 500


def wants_stream(accept: str | None) -> bool:
    """Tell whether the client asked for server-sent events."""
    return any(part.split(";")[0].strip() == "text/event-stream" for part in (accept or "").lower().split(","))


def parse_last_event_id(value: str | None) -> int:
    """Return the `seq` to go on after, 0 without a header; raises 422 ``invalid_last_event_id``."""
    if not value:
        return 0
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise invalid("invalid_last_event_id", "Send the id of the last event received.", "/header/Last-Event-ID")
    return int(value)


def read(caller: Caller, job_id: str, after: int, limit: int) -> Sequence[JobEvent]:
    """Return up to `limit` events after `seq` `after`."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        jobs.get(scope, job_id)
        return repository.list_events(scope, job_id, after, limit)


async def stream(caller: Caller, job_id: str, after: int) -> AsyncIterator[bytes]:
    """Yield events as they are persisted; end when the job is final and all were sent, or after 15 minutes.

    Jobs may be paused for good: whoever follows one comes again, as `retry` and ``Last-Event-ID`` are for.
    """
    # something to send at once, so that proxies pass the headers on
    yield KEEPALIVE_COMMENT
    started = last_sent = time.monotonic()
    pause = POLL_SECONDS
    while True:
        events, final = await run_in_threadpool(_read_with_state, caller, job_id, after)
        for event in events:
            after = event.seq
            data = show_event(event).model_dump_json()
            yield format_sse_event(data_str=data, event=event.type, id=str(event.seq), retry=RECONNECT_MS)
            last_sent = time.monotonic()
        if len(events) == PAGE:
            continue
        if final or time.monotonic() - started >= STREAM_SECONDS:
            return
        if time.monotonic() - last_sent >= KEEPALIVE_SECONDS:
            yield KEEPALIVE_COMMENT
            last_sent = time.monotonic()
        pause = POLL_SECONDS if events else min(1.2 * pause, LAST_POLL_SECONDS)
        await asyncio.sleep(pause)


def _read_with_state(caller: Caller, job_id: str, after: int) -> tuple[Sequence[JobEvent], bool]:
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        # the status first: an event that comes between the two reads is sent before the stream ends
        final = jobs.get(scope, job_id).status in FINAL
        return repository.list_events(scope, job_id, after, PAGE), final
