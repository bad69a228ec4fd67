"""`/v1/datasets`: target data, uploaded and ingested."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from app.caller import Caller, Reader, Writer
from app.datasets import queries as repository
from app.datasets import service
from app.datasets.schemas import (
    FINAL_DATASET_STATUSES,
    ArchiveQuery,
    DatasetDocument,
    DatasetFileDocument,
    DatasetForm,
    DatasetItemDocument,
    DatasetListQuery,
    ItemListQuery,
    show_dataset,
    show_item,
    show_upload,
)
from app.http.answers import IF_NONE_MATCH, LOCATION, answers, conditional, conditional_json
from app.http.errors import ApiError, from_validation_errors, invalid
from app.http.idempotency import IdempotencyKeyHeader, Replayed, form_content, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.multipart import FormInterrupted, receive_form
from app.http.prefer import PreferHeader, wait_seconds, wait_until
from app.http.query_parameters import NumbersQuery, decode_cursor, decode_number, page
from app.http.received_files import StagedFile, Staging, blocks, staging
from app.http.schemas import ListDocument
from app.state import require_space

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

FILES: dict[str, object] = {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}}
FIELDS: dict[str, object] = {
    "name": {"type": "string"},
    "modality": {"enum": ["image", "text", "auto"], "default": "auto"},
    "text_column": {"type": "string", "description": "Tables of texts: the column or field with the text."},
    "label_column": {"type": "string", "description": "Tables of texts: the one with labels, for evaluation alone."},
    "finalize": {"type": "boolean", "default": True},
    "metadata": {"type": "string", "description": "A JSON object."},
}


def _form_schema(properties: Mapping[str, object]) -> dict[str, object]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


FORM_SCHEMA = _form_schema(FILES | FIELDS)
FILES_SCHEMA = _form_schema(FILES)
ARCHIVE_SCHEMA: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=202, responses=answers(DatasetDocument, 202, LOCATION), openapi_extra=FORM_SCHEMA)
async def create_dataset(
    request: Request, caller: Writer, prefer: PreferHeader = None, idempotency_key: IdempotencyKeyHeader = None
) -> Response:
    """Create a dataset from pictures or archives; with `finalize=false` it may start empty and be added to."""
    await _require_room(caller, idempotency_key)
    with _staging(caller) as stage:
        try:
            fields, files = await _receive(request, caller, stage)
        except FormInterrupted as interrupted:
            raise interrupted.reason from interrupted
        form = _parse_form(fields)
        service.check_form(form, files)
        try:
            document = await run_in_threadpool(_create, caller, form, files, idempotency_key)
        except Replayed as replayed:
            return respond(replayed.answer, replayed=True)
    return respond(_accepted(await _settled(caller, document, prefer) if form.finalize else document))


def _create(caller: Caller, form: DatasetForm, files: list[StagedFile], key: str | None) -> DatasetDocument:
    with idempotent(caller.keys, key, "POST /v1/datasets", form_content(form.model_dump(), files)) as store:
        return service.create(caller, form, files, lambda session, body: store(session, _accepted(body)))


def _accepted(document: DatasetDocument) -> Answer:
    return Answer.of(202, document, {"Location": document.urls["self"]})


@router.get("")
def list_datasets(caller: Reader, query: Annotated[DatasetListQuery, Query()]) -> ListDocument[DatasetDocument]:
    """List datasets, newest first."""
    filters = query.filters(decode_cursor(query.cursor), query.status)
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        rows = repository.list_datasets(scope, filters, query.limit + 1)
        totals = repository.upload_totals(scope, [row.id for row in rows])
    return page(rows, query.limit, lambda row: show_dataset(row, totals.get(row.id, (0, 0))), lambda row: row.id)


@router.get("/{dataset_id}", responses=conditional(DatasetDocument), openapi_extra=IF_NONE_MATCH)
async def get_dataset(request: Request, dataset_id: str, caller: Reader, prefer: PreferHeader = None) -> Response:
    """Return one dataset; `Prefer: wait=N` answers when it is ready or failed."""
    document = await run_in_threadpool(service.read, caller, dataset_id)
    return conditional_json(request, await _settled(caller, document, prefer))


@router.delete("/{dataset_id}", status_code=204)
def delete_dataset(dataset_id: str, caller: Writer) -> None:
    """Delete a dataset that no unfinished job needs."""
    service.delete(caller, dataset_id)


@router.put("/{dataset_id}/archive", openapi_extra=ARCHIVE_SCHEMA)
async def put_archive(
    request: Request, dataset_id: str, query: Annotated[ArchiveQuery, Query()], caller: Writer
) -> DatasetDocument:
    """Add one zip or tar archive, streamed as the raw body; sent again, it is the same archive."""
    await run_in_threadpool(_require_uploading, caller, dataset_id)
    await _require_room(caller, None)
    with _staging(caller) as stage:
        archive = await _receive_archive(request, stage, query.filename)
        return await run_in_threadpool(service.add_files, caller, dataset_id, [archive], lambda session, body: None)


@router.post("/{dataset_id}/files", responses={200: {"model": DatasetDocument}}, openapi_extra=FILES_SCHEMA)
async def add_files(
    request: Request, dataset_id: str, caller: Writer, idempotency_key: IdempotencyKeyHeader = None
) -> Response:
    """Add files to a dataset that is not final; a file sent again is the same file."""
    await run_in_threadpool(_require_uploading, caller, dataset_id)
    await _require_room(caller, idempotency_key)
    with _staging(caller) as stage:
        try:
            fields, files = await _receive(request, caller, stage)
        except FormInterrupted as interrupted:
            # what came whole stays, and the client need not send it again
            if interrupted.files:
                await run_in_threadpool(
                    service.add_files, caller, dataset_id, interrupted.files, lambda session, body: None
                )
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
    """List what was uploaded, in order: a client that was interrupted learns what is there."""
    after = decode_number(query.cursor) or 0
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        service.get(scope, dataset_id)
        rows = repository.list_uploads(scope, dataset_id, after, query.limit + 1)
    return page(rows, query.limit, show_upload, lambda row: row.position)


@router.post("/{dataset_id}/finalize", status_code=202, responses=answers(DatasetDocument, 202, LOCATION))
async def finalize_dataset(dataset_id: str, caller: Writer, prefer: PreferHeader = None) -> Response:
    """Declare the dataset complete and start ingesting it; done again, it changes nothing."""
    document = await run_in_threadpool(service.finalize, caller, dataset_id)
    return respond(_accepted(await _settled(caller, document, prefer)))


@router.get("/{dataset_id}/items")
def list_items(
    dataset_id: str, caller: Reader, query: Annotated[ItemListQuery, Query()]
) -> ListDocument[DatasetItemDocument]:
    """List what ingestion found; `status=rejected` says what was left out and why."""
    after = decode_number(query.cursor) or 0
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        service.get(scope, dataset_id)
        rows = repository.list_items(scope, dataset_id, query.status, after, query.limit + 1)
    return page(rows, query.limit, show_item, lambda row: row.id)


async def _settled(caller: Caller, document: DatasetDocument, prefer: str | None) -> DatasetDocument:
    seconds = wait_seconds(prefer)
    if not seconds or document.status in FINAL_DATASET_STATUSES:
        return document
    return await wait_until(
        lambda: service.read(caller, document.id), lambda found: found.status in FINAL_DATASET_STATUSES, seconds
    )


async def _receive(request: Request, caller: Caller, stage: Staging) -> tuple[dict[str, str], list[StagedFile]]:
    return await receive_form(request, stage, file_field="files", max_files=caller.state.settings.max_form_files)


def _staging(caller: Caller) -> AbstractContextManager[Staging]:
    return staging(caller.state.staging_root, lambda: require_space(caller.state))


async def _require_room(caller: Caller, idempotency_key: str | None) -> None:
    """Refuse what there is no room for before it is received; a possible repetition takes room on the disk alone."""
    await run_in_threadpool(require_space, caller.state)
    if idempotency_key is None:
        await run_in_threadpool(service.require_room, caller)


def _require_uploading(caller: Caller, dataset_id: str) -> None:
    with caller.state.database.read() as session:
        service.require_uploading(service.get(caller.scope(session), dataset_id))


def _parse_form(fields: dict[str, str]) -> DatasetForm:
    values: dict[str, object] = dict(fields)
    if "metadata" in values:
        try:
            values["metadata"] = json.loads(fields["metadata"])
        except ValueError as error:
            raise invalid("invalid_value", "metadata must be a JSON object.", "/metadata") from error
    try:
        return DatasetForm.model_validate(values)
    except ValidationError as error:
        located = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise from_validation_errors(located, values) from error


async def _receive_archive(request: Request, stage: Staging, filename: str | None) -> StagedFile:
    head = b""
    stage.begin(filename or "")
    async for block in blocks(request):
        head = head or block[:512]
        await run_in_threadpool(stage.write, block)
    archive = stage.end()
    suffix = _archive_suffix(head)
    if suffix is None:
        raise ApiError(422, "unknown_archive", "The body is not a .zip, .tar or .tar.gz archive.")
    return archive if archive.filename else StagedFile(f"archive{suffix}", archive.path, archive.size, archive.sha256)


def _archive_suffix(head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ".zip"
    if head.startswith(b"\x1f\x8b"):
        return ".tar.gz"
    return ".tar" if head[257:262] == b"ustar" else None
