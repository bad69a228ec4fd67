"""Exports of a model: downloaded, or waited for."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.caller import Reader
from app.http.errors import invalid
from app.models.exports import wanted, zip_answer
from app.models.schemas import ArtifactQuery
from app.pages.rendering import render

router = APIRouter()

#: The browser asks again after so many.
REFRESH_SECONDS = 3
_WAIT = "wait=10"


@router.get("/models/{model_id}/export")
async def get_export(
    request: Request, model_id: str, caller: Reader, query: Annotated[ArtifactQuery, Query()]
) -> Response:
    """Return the file, or a page that asks again as long as it is being made."""
    if query.format is None:
        raise invalid("export_format_missing", "Say by `as` which form the model is to have.", "/query/as")
    found = await wanted(caller, model_id, query, _WAIT)
    if found.is_made:
        name = f"{found.model.id}-{query.format}.zip"
        return await run_in_threadpool(zip_answer, caller.state.storage, found.key, name)
    page = await run_in_threadpool(render, request, "exporting.html.jinja", model_id=model_id, format=query.format)
    page.headers["Refresh"] = str(REFRESH_SECONDS)
    return page
