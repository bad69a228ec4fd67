"""`/v1/models`: adapted models and their artifacts."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.caller import Reader, Writer
from app.http.answers import IF_NONE_MATCH, conditional, conditional_json
from app.http.archive import files_of, zip_stream
from app.http.errors import ApiError
from app.http.schemas import ListDocument
from app.models import service
from app.models.schemas import ModelDocument, ModelListQuery, ModelPatch, ModelSummaryDocument

router = APIRouter(prefix="/v1/models", tags=["models"])


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
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_artifact(model_id: str, caller: Reader) -> Response:
    """Download the directory of a model, by id or alias, as a zip that `pouf_core.load` reads once unpacked."""
    model = service.find(caller, model_id)
    storage = caller.state.storage
    try:
        files = files_of(storage.local_directory(model.storage_key))
    except FileNotFoundError as error:
        raise ApiError(500, "artifact_missing", f"The artifact of model {model.id} is not in the storage.") from error

    def kept_while_sent() -> Iterator[bytes]:
        with storage.in_use(model.storage_key):
            yield from zip_stream(files)
        storage.cache.trim()

    content = kept_while_sent()
    headers = {"Content-Disposition": f'attachment; filename="{model.id}.zip"'}
    return StreamingResponse(content, media_type="application/zip", headers=headers)
