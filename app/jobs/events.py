"""A job's events, read or followed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.caller import Caller
from app.http.errors import invalid, not_found
from app.http.executors import following
from app.http.query_parameters import is_row_number
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
    if not is_row_number(value):
        raise invalid("invalid_last_event_id", "Send the id of the last event received.", "/header/Last-Event-ID")
    return int(value)


def read(caller: Caller, job_id: str, after: int, limit: int) -> Sequence[JobEvent]:
    """Return up to `limit` events after `seq` `after`."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        jobs.get(scope, job_id)
        return repository.list_events(scope, job_id, after, limit)


@dataclass(frozen=True)
class News:
    """A page of a job's events, and whether there will be no more."""

    events: Sequence[JobEvent]
    final: bool


def news(caller: Caller, job_id: str, after: int) -> News:
    """Return the events after `seq` `after`; raises 404 ``job_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        # the status first: an event that comes between the two reads is sent before the stream ends
        found = repository.status_and_last_event(scope, job_id)
        if found is None:
            raise not_found("job", job_id)
        status, last = found
        return News(repository.list_events(scope, job_id, after, PAGE) if last > after else (), status in FINAL)


async def stream(caller: Caller, job_id: str, after: int, found: News) -> AsyncIterator[bytes]:
    """Yield what was `found` and then events as they are persisted, to the job's end or for 15 minutes.

    Jobs may be paused for good: whoever follows one comes again, as `retry` and ``Last-Event-ID`` are for.
    """
    # something to send at once, so that proxies pass the headers on
    yield KEEPALIVE_COMMENT
    started = last_sent = time.monotonic()
    pause = POLL_SECONDS
    while True:
        for event in found.events:
            after = event.seq
            data = show_event(event).model_dump_json()
            yield format_sse_event(data_str=data, event=event.type, id=str(event.seq), retry=RECONNECT_MS)
            last_sent = time.monotonic()
        if len(found.events) < PAGE:
            if found.final or time.monotonic() - started >= STREAM_SECONDS:
                return
            if time.monotonic() - last_sent >= KEEPALIVE_SECONDS:
                yield KEEPALIVE_COMMENT
                last_sent = time.monotonic()
            pause = POLL_SECONDS if found.events else min(1.2 * pause, LAST_POLL_SECONDS)
            await asyncio.sleep(pause)
        found = await following(news, caller, job_id, after)
