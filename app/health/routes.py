"""`/health/live`, `/health/ready`, `/metrics`."""

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse, PlainTextResponse

from app.caller import Admin
from app.health.readiness import Readiness, ReadyDocument

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer as long as the process serves requests at all."""
    return {"status": "ok"}


@router.get("/health/ready", responses={200: {"model": ReadyDocument}, 503: {"model": ReadyDocument}})
async def ready(request: Request) -> Response:
    """Answer 200 when the database, the broker, the storage and a real forward pass work, else 503 with the reasons.

    The answer is up to a second old, and the forward pass, which a watch runs, a few seconds. A disk with too little
    free space is told too: new work is refused then, and everything else goes on.
    """
    readiness: Readiness = request.app.state.readiness
    document = await readiness.document()
    return JSONResponse(document.model_dump(mode="json"), 200 if document.status == "ready" else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(caller: Admin) -> Response:
    """Return the process's numbers, which are those of all owners together, in Prometheus's text format."""
    return Response(caller.state.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
