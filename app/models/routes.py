"""`/v1/models`: adapted models and their artifacts."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.caller import Reader, Writer
from app.http.answers import IF_NONE_MATCH, conditional, conditional_json
from app.http.archive import files_of, zip_stream
from app.http.errors import ApiError
from app.http.query_parameters import decode_cursor, page
from app.http.schemas import ListDocument
from app.models import queries as repository
from app.models import service
from app.models.schemas import ModelDocument, ModelListQuery, ModelSummaryDocument, show_model_summary

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def list_models(caller: Reader, query: Annotated[ModelListQuery, Query()]) -> ListDocument[ModelSummaryDocument]:
    """List adapted models, newest first, without their classes."""
    filters = query.filters(decode_cursor(query.cursor))
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        rows = repository.list_models(scope, filters, query.limit + 1)
        aliases = repository.aliases_of(scope, [row.id for row in rows])
        found = {row.id: show_model_summary(row, aliases.get(row.id, [])) for row in rows}
    return page(rows, query.limit, lambda row: found[row.id], lambda row: row.id)


@router.get("/{model_id}", responses=conditional(ModelDocument), openapi_extra=IF_NONE_MATCH)
def get_model(request: Request, model_id: str, caller: Reader) -> Response:
    """Return one model, by id or alias."""
    model = service.find(caller, model_id)
    with caller.state.database.read() as session:
        return conditional_json(request, service.show(caller.scope(session), [model])[0])


@router.delete("/{model_id}", status_code=204)
def delete_model(model_id: str, caller: Writer) -> None:
    """Delete a model that no alias points at."""
    service.delete(caller, model_id)


@router.get(
    "/{model_id}/artifact",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_artifact(model_id: str, caller: Reader) -> Response:
    """Download the model's directory as a zip that `pouf_core.load` reads once unpacked."""
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
