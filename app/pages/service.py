"""The service: whether it works, what it has to do, and what is stored; owners see their own."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from app.auth.identity import Identity, KeyScope
from app.caller import Caller, Reader
from app.health import overview
from app.health.readiness import Readiness, ReadyDocument
from app.pages.rendering import render

router = APIRouter()

OWNERS_SHOWN = 50
CHECKS = {
    "database": "Database",
    "broker": "Broker",
    "storage": "Storage",
    "disk": "Free disk space",
    "serving": "Predictions",
}
KINDS = {"train": "jobs", "ingest": "reading datasets", "notify": "webhooks", "reaper": "looking after lost work"}


@router.get("/service")
async def show_service(request: Request, caller: Reader) -> HTMLResponse:
    """Return the page; it is looked at again by itself."""
    readiness: Readiness = request.app.state.readiness
    return await run_in_threadpool(_page, request, caller, await readiness.document())


def _page(request: Request, caller: Caller, ready: ReadyDocument) -> HTMLResponse:
    identity: Identity = request.scope["identity"]
    runs_it = identity.may(KeyScope.ADMIN)
    is_refreshed = "hx-request" in request.headers  # the part without owners, whose sums take longest
    return render(
        request,
        "service.html.jinja",
        ready=ready,
        checks=CHECKS,
        kinds=KINDS,
        own=overview.own(caller),
        limits=caller.limits,
        everything=overview.everything(caller) if runs_it else None,
        owners=overview.owners(caller) if runs_it and not is_refreshed else None,
        owners_shown=OWNERS_SHOWN,
        owner=caller.owner,
    )
