"""Whether requests can be served: looked at once a second at most, however many ask."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Literal

import redis
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app.http.errors import ApiError
from app.http.schemas import Document
from app.state import State, require_space

logger = logging.getLogger(__name__)

CHECK_SECONDS = 5.0
CACHE_SECONDS = 1.0
#: Between two forward passes; between two that fail.
PROBE_SECONDS = 5.0
RETRY_SECONDS = 0.5
#: What may be amiss without making the service unready: everything but new work goes on.
ADVISORY = frozenset({"disk"})


class CheckDocument(Document):
    """Whether a part of the service works, and why not."""

    ok: bool
    reason: str | None


class ReadyDocument(Document):
    """Whether requests can be served."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckDocument]


class Readiness:
    """The checks of a running process; a background task, `watch`, runs the forward passes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._serving: str | None = "base models are still loading"
        self._look: asyncio.Task[ReadyDocument] | None = None
        self._looked_at = float("-inf")

    async def watch(self) -> None:
        """Run a forward pass every few seconds, and remember why one failed, until cancelled."""
        while True:
            self._serving = await _check(self._state.engine.probe())
            await asyncio.sleep(PROBE_SECONDS if self._serving is None else RETRY_SECONDS)

    async def document(self) -> ReadyDocument:
        """Return what was found within the last second, or look now; those who ask meanwhile share the look."""
        fresh = time.monotonic() - self._looked_at < CACHE_SECONDS
        if self._look is None or (self._look.done() and not fresh):
            self._look = asyncio.ensure_future(self._checked())
        return await asyncio.shield(self._look)

    async def _checked(self) -> ReadyDocument:
        state = self._state
        checks = {
            "database": run_in_threadpool(state.database.ping),
            "broker": run_in_threadpool(state.queue.ping),
            "storage": run_in_threadpool(state.storage.ping),
            "disk": run_in_threadpool(require_space, state),
        }
        found = await asyncio.gather(*map(_check, checks.values()))
        reasons = {**dict(zip(checks, found, strict=True)), "serving": self._serving}
        self._looked_at = time.monotonic()
        ok = not any(reason for name, reason in reasons.items() if name not in ADVISORY)
        documents = {name: CheckDocument(ok=not reason, reason=reason) for name, reason in reasons.items()}
        return ReadyDocument(status="ready" if ok else "not_ready", checks=documents)


async def _check(work: Awaitable[object]) -> str | None:
    """Return why `work` failed, or None."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await work
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} seconds"
    except (SQLAlchemyError, redis.RedisError, OSError) as error:
        # they name hosts, users and files, and this needs no key
        logger.warning("not ready: %s", error)
        return f"{type(error).__name__}; the log has details"
    except Exception as error:  # noqa: BLE001 - every failure is the answer here
        return error.detail if isinstance(error, ApiError) else str(error) or type(error).__name__
    return None
