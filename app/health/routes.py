"""`/health/live`, `/health/ready`, `/metrics`."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Literal

import redis
from fastapi import APIRouter, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse

from app.caller import Admin
from app.http.errors import ApiError
from app.http.schemas import Document
from app.state import State, StateDep, require_space

logger = logging.getLogger(__name__)

router = APIRouter(tags=["health"])

CHECK_SECONDS = 5.0


class CheckDocument(Document):
    """Whether a part of the service works, and why not."""

    ok: bool
    reason: str | None


class ReadyDocument(Document):
    """Whether requests can be served."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckDocument]


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer as long as the process serves requests at all."""
    return {"status": "ok"}


@router.get("/health/ready", responses={200: {"model": ReadyDocument}, 503: {"model": ReadyDocument}})
async def ready(state: StateDep) -> Response:
    """Answer 200 when the database, the broker and a real forward pass work, else 503 with the reasons.

    A disk with too little free space is told too: new work is refused then, and everything else goes on.
    """
    names = ("database", "broker", "serving", "disk")
    results = await asyncio.gather(
        _check(run_in_threadpool(_read_database, state)),
        _check(run_in_threadpool(state.queue.ping)),
        _check(state.engine.probe()),
        _check(run_in_threadpool(require_space, state)),
    )
    checks = {name: CheckDocument(ok=not reason, reason=reason) for name, reason in zip(names, results, strict=True)}
    ok = not any(results[:3])
    document = ReadyDocument(status="ready" if ok else "not_ready", checks=checks)
    return JSONResponse(document.model_dump(mode="json"), 200 if ok else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(caller: Admin) -> Response:
    """Return the process's numbers, which are those of all owners together, in Prometheus's text format."""
    return Response(caller.state.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _check(work: Awaitable[object]) -> str | None:
    """Return why `work` failed, or None."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await work
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} seconds"
    except (SQLAlchemyError, redis.RedisError) as error:
        # drivers name hosts, users and files, and this route needs no key
        logger.warning("not ready: %s", error)
        return f"{type(error).__name__}; the log has details"
    except Exception as error:  # noqa: BLE001 - every failure is the answer here
        return error.detail if isinstance(error, ApiError) else str(error) or type(error).__name__
    return None


def _read_database(state: State) -> None:
    with state.database.read() as session:
        session.execute(text("SELECT 1 FROM jobs LIMIT 1"))
