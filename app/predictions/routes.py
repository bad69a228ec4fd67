"""Predictions: pictures, texts or embeddings in, labels out, as JSON or as a form."""

from typing import TypeVar

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.caller import Predictor
from app.http.budgets import Holding, holding_of
from app.http.content_types import FORM, JSON, content_type, is_json, wrong_content_type
from app.http.errors import ApiError, invalid
from app.http.executors import validating
from app.http.json_bodies import read_json, validate
from app.http.json_parsing import MAX_VALUES_OF_INPUTS
from app.http.received_files import MAX_FILENAME
from app.http.schemas import Closed
from app.predictions.schemas import (
    NamedPredictBody,
    NamedPredictOptions,
    PredictBody,
    PredictionListDocument,
    PredictOptions,
)
from app.predictions.service import Input, input_of, predict, too_many_inputs

router = APIRouter(tags=["predictions"])

#: Characters of a form's fields; a thread takes longer to be asked.
VALIDATED_AT_ONCE = 1000

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
    text = {"type": "string", "description": "A text."}
    schema["properties"]["inputs"]["items"] = {"anyOf": [text, definitions["PredictInput"]]}
    return schema


@router.post(
    "/v1/models/{model_id}/predict",
    response_model_exclude_unset=True,
    openapi_extra=_request_schema(PredictBody, PredictOptions),
)
async def predict_with_model(request: Request, model_id: str, caller: Predictor) -> PredictionListDocument:
    """Classify pictures, texts or embeddings with one model, named by id or alias."""
    if _is_form(request):
        options, inputs = await _read_form(request, PredictOptions, caller.state.settings.max_predict_items)
        return await predict(request, caller, model_id, inputs, options)
    body = await _read_json(request, PredictBody, caller.state.settings.max_predict_items)
    return await predict(request, caller, model_id, [input_of(item) for item in body.inputs], body)


@router.post(
    "/predict",
    response_model_exclude_unset=True,
    openapi_extra=_request_schema(NamedPredictBody, NamedPredictOptions),
)
async def predict_by_name(request: Request, caller: Predictor) -> PredictionListDocument:
    """Classify pictures, texts or embeddings with the model that the body names, by id or alias."""
    if _is_form(request):
        options, inputs = await _read_form(request, NamedPredictOptions, caller.state.settings.max_predict_items)
        return await predict(request, caller, options.model, inputs, options)
    body = await _read_json(request, NamedPredictBody, caller.state.settings.max_predict_items)
    return await predict(request, caller, body.model, [input_of(item) for item in body.inputs], body)


def _is_form(request: Request) -> bool:
    if content_type(request.headers) == FORM:
        return True
    if not is_json(request.headers):
        raise wrong_content_type(request.headers, JSON, FORM)
    return False


async def _read_json(request: Request, schema: type[Schema], max_items: int) -> Schema:
    def check(values: object) -> None:
        inputs = values.get("inputs") if isinstance(values, dict) else None
        if isinstance(inputs, list) and len(inputs) > max_items:
            raise too_many_inputs(max_items)

    return await read_json(request, schema, check, MAX_VALUES_OF_INPUTS)


async def _read_form(request: Request, schema: type[Schema], max_items: int) -> tuple[Schema, list[Input]]:
    try:
        form = await request.form(max_files=max_items, max_fields=20)
    except HTTPException as error:
        if str(error.detail).startswith("Too many files"):
            raise too_many_inputs(max_items, "/image") from error
        raise ApiError(400, "malformed_multipart", str(error.detail)) from error
    values, inputs = await _split(form, holding_of(request))
    if sum(len(name) + len(str(value)) for name, value in values.items()) <= VALIDATED_AT_ONCE:
        return validate(schema, values), inputs
    return await validating(validate, schema, values), inputs


async def _split(form: FormData, holding: Holding) -> tuple[dict[str, object], list[Input]]:
    values: dict[str, object] = {}
    inputs: list[Input] = []
    for name, value in form.multi_items():
        if name in values:
            raise invalid("duplicate_field", "This field may be given once.", f"/{name}")
        if name != "image":
            values[name] = value
        elif isinstance(value, UploadFile):
            holding.take_memory(value.size or 0)
            inputs.append(Input(await value.read(), (value.filename or "")[:MAX_FILENAME] or None))
        else:
            raise invalid("missing_filename", "A picture's part needs a filename.", "/image")
    await form.close()
    return values, inputs
