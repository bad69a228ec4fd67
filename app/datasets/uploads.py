"""Receiving what a dataset is made of: a form with files, or one archive as the raw body."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import get_args

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.caller import Caller
from app.datasets import service
from app.datasets.schemas import DatasetForm
from app.http.errors import ApiError, invalid
from app.http.json_bodies import validate
from app.http.json_parsing import unique_fields
from app.http.multipart import receive_form
from app.http.received_files import StagedFile, Staging, blocks, staging
from app.state import require_space
from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.labels import LabelsWanted
from pouf_core.data.file_kinds import ARCHIVE_SUFFIXES, HEAD_BYTES, archive_kind

FILES: dict[str, object] = {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}}
FIELDS: dict[str, object] = {
    "name": {"type": "string"},
    "modality": {"enum": list(get_args(RequestedModality)), "default": "auto"},
    "text_column": {
        "type": "string",
        "description": "Tables of texts: the column, or its number from 0, or the field with the text.",
    },
    "label_column": {
        "type": "string",
        "description": "Likewise, with labels, for evaluation alone; also of a table beside pictures.",
    },
    "encoding": {"type": "string", "description": "Of files of texts, where it is told wrong, such as windows-1252."},
    "delimiter": {"type": "string", "description": "Of tables of texts: one character, or `\\t`."},
    "header": {"type": "boolean", "description": "Of tables of texts: whether the first row names the columns."},
    "labels": {
        "enum": list(get_args(LabelsWanted)),
        "default": "auto",
        "description": "Where evaluation labels may come from: `file`, columns and fields of files, and files of "
        "labels beside pictures; `folders`; `auto`, files where any gives labels, else folders; `none`.",
    },
    "finalize": {"type": "boolean", "default": True},
    "metadata": {"type": "string", "description": "A JSON object."},
}


def _body(media_type: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def _form_body(properties: Mapping[str, object]) -> dict[str, object]:
    return _body("multipart/form-data", {"type": "object", "properties": properties, "additionalProperties": False})


# how the OpenAPI document describes the bodies
FORM_SCHEMA = _form_body(FILES | FIELDS)
FILES_SCHEMA = _form_body(FILES)
ARCHIVE_SCHEMA = _body("application/octet-stream", {"type": "string", "format": "binary"})


async def require_room(caller: Caller, idempotency_key: str | None) -> None:
    """Refuse what there is no room for before it is received.

    With an idempotency key the request may be a repetition, which takes room on the disk alone. Raises 507
    ``storage_full``, 429 ``stored_bytes_limit`` or ``items_limit``.
    """
    await run_in_threadpool(require_space, caller.state)
    if idempotency_key is None:
        await run_in_threadpool(service.require_room, caller)


def staged(caller: Caller) -> AbstractContextManager[Staging]:
    """Return a staging directory for one request."""
    return staging(caller.state.staging_root, lambda: require_space(caller.state))


async def receive_files(request: Request, caller: Caller, stage: Staging) -> tuple[dict[str, str], list[StagedFile]]:
    """Return the fields and files of a form; raises as `receive_form`."""
    return await receive_form(request, stage, file_field="files", max_files=caller.state.settings.max_form_files)


def parse_form(fields: Mapping[str, str]) -> DatasetForm:
    """Return the checked fields; raises 422."""
    values: dict[str, object] = dict(fields)
    if "metadata" in values:
        try:
            values["metadata"] = json.loads(fields["metadata"], object_pairs_hook=unique_fields)
        except (ValueError, RecursionError) as error:
            raise invalid("invalid_value", "metadata must be a JSON object.", "/metadata") from error
    return validate(DatasetForm, values)


async def receive_archive(request: Request, stage: Staging, filename: str | None) -> StagedFile:
    """Return the archive that the body is, named after its kind without a `filename`.

    Raises 422 ``unknown_archive``.
    """
    head = b""
    stage.begin(filename or "")
    async for block in blocks(request):
        head = (head + block[:HEAD_BYTES])[:HEAD_BYTES]
        await run_in_threadpool(stage.write, block)
    archive = stage.end()
    kind = archive_kind(head)
    suffix = next((suffix for suffix, named in ARCHIVE_SUFFIXES.items() if named == kind), None)
    if suffix is None:
        raise ApiError(
            422,
            "unknown_archive",
            "The body is no archive that is read: .zip, or .tar, plain or packed as .gz, .bz2 or .xz.",
        )
    return archive if archive.filename else StagedFile(f"archive{suffix}", archive.path, archive.size, archive.sha256)
