"""`/v1/models`: adapted models and their artifacts."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, StreamingResponse

from app.caller import Reader, Writer
from app.http.answers import IF_NONE_MATCH, POLL_SECONDS, RETRY_AFTER, answers, conditional, conditional_json
from app.http.errors import invalid
from app.http.prefer import PreferHeader
from app.http.schemas import ListDocument
from app.models import exports, service
from app.models.exports import zip_answer
from app.models.schemas import (
    ArtifactQuery,
    ExportDocument,
    ModelDocument,
    ModelListQuery,
    ModelPatch,
    ModelSummaryDocument,
)

router = APIRouter(prefix="/v1/models", tags=["models"])

_FILE = {"type": "string", "format": "binary"}


@router.get("")
def list_models(caller: Reader, query: Annotated[ModelListQuery, Query()]) -> ListDocument[ModelSummaryDocument]:
    """List adapted models, newest first, without their classes."""
    return service.list_models(caller, query)


@router.get("/{model_id}", responses=conditional(ModelDocument), openapi_extra=IF_NONE_MATCH)
def get_model(request: Request, model_id: str, caller: Reader) -> Response:
    """Return one model, by id or alias."""
    return conditional_json(request, service.read(caller, model_id))


@router.patch("/{model_id}")
def rename_model(model_id: str, body: ModelPatch, caller: Writer) -> ModelDocument:
    """Give a model, by id or alias, another name; its files keep the one that they were written with."""
    return service.rename(caller, model_id, body.name)


@router.delete("/{model_id}", status_code=204)
def delete_model(model_id: str, caller: Writer) -> None:
    """Delete a model, named by id or alias, that no alias points at."""
    service.delete(caller, model_id)


@router.get(
    "/{model_id}/artifact",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": _FILE}}}, **answers(ExportDocument, 202, RETRY_AFTER)},
)
async def get_artifact(
    model_id: str, caller: Reader, query: Annotated[ArtifactQuery, Query()], prefer: PreferHeader = None
) -> Response:
    """Download a model, by id or alias, as a zip: its own files, which `pouf_core.load` reads unpacked, or an export.

    An export is made when it is first asked for: 202 as long as that takes; `Prefer: wait=N` waits up to N seconds.
    """
    if query.format is None:
        if query.variant is not None:
            raise invalid("export_format_missing", "A variant is that of an export: say which by `as`.", "/query/as")
        model = await run_in_threadpool(service.find, caller, model_id)
        return await run_in_threadpool(zip_answer, caller.state.storage, model.storage_key, f"{model.id}.zip")
    found = await exports.wanted(caller, model_id, query, prefer)
    if not found.is_made:
        document = exports.show_export(found).model_dump(mode="json")
        return JSONResponse(document, 202, {"Retry-After": POLL_SECONDS})
    name = f"{found.model.id}-{query.format}.zip"
    return await run_in_threadpool(zip_answer, caller.state.storage, found.key, name)
