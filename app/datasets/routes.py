"""`/v1/datasets`: target data, uploaded and ingested."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.caller import Caller, Reader, Writer
from app.datasets import pictures, rereading, samples, service, uploads
from app.datasets.samples import DatasetSampleDocument
from app.datasets.schemas import (
    ArchiveQuery,
    DatasetCreateQuery,
    DatasetDocument,
    DatasetFileDocument,
    DatasetForm,
    DatasetItemDocument,
    DatasetListQuery,
    DatasetSummaryDocument,
    ItemListQuery,
    ReadingOptions,
)
from app.http.answers import IF_NONE_MATCH, LOCATION, answers, conditional, conditional_json
from app.http.budgets import holding_of
from app.http.errors import invalid
from app.http.executors import validating
from app.http.idempotency import IdempotencyKeyHeader, Replayed, form_content, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.multipart import FormInterrupted
from app.http.prefer import PreferHeader, settled
from app.http.query_parameters import NumbersQuery
from app.http.received_files import StagedFile, Staging
from app.http.schemas import ListDocument
from app.serving.thumbnails import MEDIA_TYPE
from app.state import require_space

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.post(
    "",
    status_code=202,
    responses={**answers(DatasetSampleDocument), **answers(DatasetDocument, 202, LOCATION)},
    openapi_extra=uploads.FORM_SCHEMA,
)
async def create_dataset(
    request: Request,
    caller: Writer,
    query: Annotated[DatasetCreateQuery, Query()],
    prefer: PreferHeader = None,
    idempotency_key: IdempotencyKeyHeader = None,
) -> Response:
    """Create a dataset from pictures or archives; with `finalize=false` it may start empty and be added to."""
    if query.dry_run:
        return respond(Answer.of(200, await _sample(request, caller)))
    await uploads.require_room(caller, idempotency_key)
    with uploads.staged(caller) as stage:
        form, files = await _received(request, caller, stage)
        service.check_form(form, files)
        try:
            document = await run_in_threadpool(_create, caller, form, files, idempotency_key)
        except Replayed as replayed:
            return respond(replayed.answer, replayed=True)
    return respond(_accepted(await _settled(caller, document, prefer) if form.finalize else document))


async def _sample(request: Request, caller: Caller) -> DatasetSampleDocument:
    await run_in_threadpool(require_space, caller.state)
    with uploads.staged(caller) as stage:
        form, files = await _received(request, caller, stage)
        service.check_form(form.model_copy(update={"finalize": True}), files)
        return await samples.take(caller, form, files, stage.directory, holding_of(request))


async def _received(request: Request, caller: Caller, stage: Staging) -> tuple[DatasetForm, list[StagedFile]]:
    """All or nothing of a form."""
    try:
        fields, files = await uploads.receive_files(request, caller, stage)
    except FormInterrupted as interrupted:
        raise interrupted.reason from interrupted
    return await validating(uploads.parse_form, fields), files


def _create(caller: Caller, form: DatasetForm, files: list[StagedFile], key: str | None) -> DatasetDocument:
    with idempotent(caller.keys, key, "POST /v1/datasets", form_content(form.model_dump(), files)) as store:
        return service.create(caller, form, files, lambda session, body: store(session, _accepted(body)))


def _accepted(document: DatasetDocument) -> Answer:
    return Answer.of(202, document, {"Location": document.urls["self"]})


@router.get("")
def list_datasets(caller: Reader, query: Annotated[DatasetListQuery, Query()]) -> ListDocument[DatasetSummaryDocument]:
    """List datasets, newest first, without the class names that they suggest."""
    return service.list_datasets(caller, query)


@router.get("/{dataset_id}", responses=conditional(DatasetDocument), openapi_extra=IF_NONE_MATCH)
async def get_dataset(request: Request, dataset_id: str, caller: Reader, prefer: PreferHeader = None) -> Response:
    """Return one dataset; `Prefer: wait=N` answers when it is ready or failed."""
    document = await run_in_threadpool(service.read, caller, dataset_id)
    return conditional_json(request, await _settled(caller, document, prefer))


@router.delete("/{dataset_id}", status_code=204)
def delete_dataset(dataset_id: str, caller: Writer) -> None:
    """Delete a dataset that no unfinished job needs."""
    service.delete(caller, dataset_id)


@router.put("/{dataset_id}/archive", openapi_extra=uploads.ARCHIVE_SCHEMA)
async def put_archive(
    request: Request, dataset_id: str, query: Annotated[ArchiveQuery, Query()], caller: Writer
) -> DatasetDocument:
    """Add one zip or tar archive, streamed as the raw body; sent again, it is the same archive."""
    await run_in_threadpool(service.check_uploading, caller, dataset_id)
    await uploads.require_room(caller, None)
    with uploads.staged(caller) as stage:
        archive = await uploads.receive_archive(request, stage, query.filename)
        return await run_in_threadpool(service.add_files, caller, dataset_id, [archive])


@router.post("/{dataset_id}/files", responses={200: {"model": DatasetDocument}}, openapi_extra=uploads.FILES_SCHEMA)
async def add_files(
    request: Request, dataset_id: str, caller: Writer, idempotency_key: IdempotencyKeyHeader = None
) -> Response:
    """Add files to a dataset that is not final; a file sent again is the same file."""
    await run_in_threadpool(service.check_uploading, caller, dataset_id)
    await uploads.require_room(caller, idempotency_key)
    with uploads.staged(caller) as stage:
        try:
            fields, files = await uploads.receive_files(request, caller, stage)
        except FormInterrupted as interrupted:
            # files that arrived completely stay, so that the client need not send them again
            if interrupted.files:
                await run_in_threadpool(service.add_files, caller, dataset_id, interrupted.files)
            raise interrupted.reason from interrupted
        for name in fields:
            raise invalid("unknown_field", "Only `files` may be sent here.", f"/{name}")
        try:
            answer = await run_in_threadpool(_add, caller, dataset_id, files, idempotency_key)
        except Replayed as replayed:
            return respond(replayed.answer, replayed=True)
    return respond(answer)


def _add(caller: Caller, dataset_id: str, files: list[StagedFile], key: str | None) -> Answer:
    with idempotent(caller.keys, key, f"POST /v1/datasets/{dataset_id}/files", form_content({}, files)) as store:
        document = service.add_files(
            caller, dataset_id, files, lambda session, body: store(session, Answer.of(200, body))
        )
    return Answer.of(200, document)


@router.get("/{dataset_id}/files")
def list_files(
    dataset_id: str, caller: Reader, query: Annotated[NumbersQuery, Query()]
) -> ListDocument[DatasetFileDocument]:
    """List what was uploaded, in order, so that an interrupted client can see what arrived."""
    return service.list_files(caller, dataset_id, query)


@router.post("/{dataset_id}/finalize", status_code=202, responses=answers(DatasetDocument, 202, LOCATION))
async def finalize_dataset(dataset_id: str, caller: Writer, prefer: PreferHeader = None) -> Response:
    """Declare the dataset complete and start ingesting it; done again, it changes nothing."""
    document = await run_in_threadpool(service.finalize, caller, dataset_id)
    return respond(_accepted(await _settled(caller, document, prefer)))


@router.post("/{dataset_id}/read-again", status_code=202, responses=answers(DatasetDocument, 202, LOCATION))
async def read_dataset_again(
    dataset_id: str, options: ReadingOptions, caller: Writer, prefer: PreferHeader = None
) -> Response:
    """Read the uploaded files again, as they should have been read; fields as for a new dataset.

    It is for datasets that are ready or failed, and that no job or batch prediction was made of.
    """
    document = await run_in_threadpool(rereading.read_again, caller, dataset_id, options)
    return respond(_accepted(await _settled(caller, document, prefer)))


@router.get("/{dataset_id}/items")
def list_items(
    dataset_id: str, caller: Reader, query: Annotated[ItemListQuery, Query()]
) -> ListDocument[DatasetItemDocument]:
    """List what ingestion found; `status=rejected` says what was left out and why."""
    return service.list_items(caller, dataset_id, query)


@router.get(
    "/{dataset_id}/items/{sha256}/thumbnail",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_thumbnail(request: Request, dataset_id: str, sha256: str, caller: Reader) -> Response:
    """Return a small copy of a picture, at most 256 pixels wide and high, without its metadata."""
    content = await pictures.thumbnail(caller, dataset_id, sha256, holding_of(request))
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": "inline"}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


async def _settled(caller: Caller, document: DatasetDocument, prefer: str | None) -> DatasetDocument:
    return await settled(document, prefer, lambda: service.read(caller, document.id), service.is_final)
