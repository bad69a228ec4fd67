"""Predictions: pictures, texts or embeddings in, labels out, as JSON or as a form."""

import json
from typing import TypeVar

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.caller import Predictor
from app.http.errors import ApiError, from_validation_errors, invalid
from app.http.schemas import Closed
from app.predictions.schemas import (
    NamedPredictBody,
    NamedPredictOptions,
    PredictBody,
    PredictionListDocument,
    PredictOptions,
)
from app.predictions.service import predict, source_of
from app.serving.inputs import Source

router = APIRouter(tags=["predictions"])

Schema = TypeVar("Schema", bound=Closed)


def _request_schema(body: type[Closed], options: type[Closed]) -> dict[str, object]:
    form = options.model_json_schema()
    pictures = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form["properties"] = {**form["properties"], "image": pictures}
    content = {"application/json": {"schema": _inlined(body)}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(model: type[Closed]) -> dict[str, object]:
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    schema["properties"]["inputs"]["items"] = definitions["PredictInput"]
    return schema


@router.post(
    "/v1/models/{model_id}/predict",
    response_model_exclude_unset=True,
    openapi_extra=_request_schema(PredictBody, PredictOptions),
)
async def predict_with_model(request: Request, model_id: str, caller: Predictor) -> PredictionListDocument:
    """Classify pictures, texts or embeddings with one model, named by id or alias."""
    if _is_form(request):
        options, sources = await _read_form(request, PredictOptions, caller.state.settings.max_predict_items)
        return await predict(request, caller, model_id, sources, options)
    body = await _read_json(request, PredictBody)
    return await predict(request, caller, model_id, [source_of(item) for item in body.inputs], body)


@router.post(
    "/predict",
    response_model_exclude_unset=True,
    openapi_extra=_request_schema(NamedPredictBody, NamedPredictOptions),
)
async def predict_by_name(request: Request, caller: Predictor) -> PredictionListDocument:
    """Classify pictures, texts or embeddings with the model that the body names, by id or alias."""
    if _is_form(request):
        options, sources = await _read_form(request, NamedPredictOptions, caller.state.settings.max_predict_items)
        return await predict(request, caller, options.model, sources, options)
    body = await _read_json(request, NamedPredictBody)
    return await predict(request, caller, body.model, [source_of(item) for item in body.inputs], body)


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return True
    if kind == "application/json" or kind.endswith("+json"):
        return False
    raise ApiError(415, "unsupported_media_type", "Send application/json or multipart/form-data.")


async def _read_json(request: Request, schema: type[Schema]) -> Schema:
    content = await request.body()
    try:
        values = await run_in_threadpool(json.loads, content)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "malformed_json", "The request body is not valid JSON.") from error
    return _validate(schema, values)


async def _read_form(request: Request, schema: type[Schema], max_items: int) -> tuple[Schema, list[Source]]:
    try:
        form = await request.form(max_files=max_items, max_fields=20)
    except HTTPException as error:
        if str(error.detail).startswith("Too many files"):
            raise invalid("too_many_inputs", f"Send at most {max_items} inputs a request.", "/image") from error
        raise ApiError(400, "malformed_multipart", str(error.detail)) from error
    values, sources = await _split(form)
    return _validate(schema, values), sources


async def _split(form: FormData) -> tuple[dict[str, object], list[Source]]:
    values: dict[str, object] = {}
    sources: list[Source] = []
    for name, value in form.multi_items():
        if name in values:
            raise invalid("duplicate_field", "This field may be given once.", f"/{name}")
        if name != "image":
            values[name] = value
        elif isinstance(value, UploadFile):
            sources.append(await value.read())
        else:
            raise invalid("missing_filename", "A picture's part needs a filename.", "/image")
    await form.close()
    return values, sources


def _validate(schema: type[Schema], values: object) -> Schema:
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        located = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise from_validation_errors(located, values) from error
