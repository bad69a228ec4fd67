"""JSON bodies, parsed and checked beside the event loop, within the memory that requests may hold."""

import copy
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.http.budgets import Holding, holding_of
from app.http.content_types import JSON, is_json, wrong_content_type
from app.http.errors import ApiError, FieldError, several
from app.http.executors import validating
from app.http.json_parsing import MAX_VALUES, parse_json, parsed_size, refuse_deep, unique_fields
from app.http.validation_errors import from_validation_errors

SchemaT = TypeVar("SchemaT", bound=BaseModel)
ReadT = TypeVar("ReadT")
Check = Callable[[object], None]


@dataclass(frozen=True)
class Draft(Generic[SchemaT]):
    """What can be read of a body, so that whoever checks it further can tell every mistake at once.

    Attributes:
        body: the body without the fields at fault.
        errors: what is wrong with those.
        left_out: names of the body's known fields that are at fault, whole or in part.
    """

    body: SchemaT
    errors: list[FieldError] = field(default_factory=list)
    left_out: frozenset[str] = frozenset()

    def lacks(self, pointer: str) -> bool:
        """Tell whether the field that the JSON pointer leads into is left out."""
        return pointer.split("/")[1:2] in [[name] for name in self.left_out]


async def read_json(
    request: Request, schema: type[SchemaT], check: Check = lambda values: None, most_values: int = MAX_VALUES
) -> SchemaT:
    """Return the body as `schema`; `check` sees what was parsed before that, and may raise.

    Raises 400 ``malformed_json``, 415, 422 with every error, 413, 429 and 503 as `Budget.take`.
    """
    _require_json(request)
    content = await request.body()
    return await validating(parsed, content, partial(validate, schema), check, holding_of(request), most_values)


def json_body(schema: type[SchemaT]) -> Callable[[Request], Awaitable[SchemaT]]:
    """Return the dependency that is the request's body; the route describes it by `json_body_schema`."""

    async def body(request: Request) -> SchemaT:
        await _require_body(request)
        return await read_json(request, schema, refuse_deep)

    return body


def json_draft(
    schema: type[SchemaT], stand_ins: Mapping[str, object]
) -> Callable[[Request], Awaitable[Draft[SchemaT]]]:
    """Return the dependency that is the draft of the request's body.

    Args:
        schema: of the body; the route describes it by `json_body_schema`.
        stand_ins: values for required fields that are at fault.
    """

    async def draft(request: Request) -> Draft[SchemaT]:
        await _require_body(request)
        content = await request.body()
        read = partial(draft_of, schema, stand_ins)
        return await validating(parsed, content, read, refuse_deep, holding_of(request))

    return draft


async def _require_body(request: Request) -> None:
    if not await request.body():
        raise several([FieldError("", "missing_field", "Send a JSON object.")])
    _require_json(request)


def _require_json(request: Request) -> None:
    if not is_json(request.headers):
        raise wrong_content_type(request.headers, JSON)


def json_body_schema(schema: type[BaseModel]) -> dict[str, object]:
    """Return what a route says of its body in the OpenAPI document; `app.openapi` makes it a named schema."""
    described = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": described}}}}


def validate(schema: type[SchemaT], values: object) -> SchemaT:
    """Return `values` as `schema`; raises 422 with every error."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise _refusal(error, values) from error


def draft_of(schema: type[SchemaT], stand_ins: Mapping[str, object], values: object) -> Draft[SchemaT]:
    """Return the draft of a body; raises 422 where nothing can be read of it."""
    try:
        return Draft(schema.model_validate(values))
    except ValidationError as error:
        refusal = _refusal(error, values)
        if not isinstance(values, dict):
            raise refusal from error
        readable: dict[str, Any] = copy.deepcopy(values)
        left_out = set()
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            path = item["loc"]
            if item["type"] == "extra_forbidden":
                _leave_out(readable, path)
            elif path:
                readable.pop(str(path[0]), None)
                left_out.add(str(path[0]))
        try:
            body = schema.model_validate({**stand_ins, **readable})
        except ValidationError:
            raise refusal from error
        return Draft(body, refusal.errors, frozenset(left_out))


def _leave_out(values: dict[str, Any], path: tuple[int | str, ...]) -> None:
    """Take out the member at `path`; where a list lies on the way, the whole list."""
    for step in path[:-1]:
        inner = values.get(str(step))
        if not isinstance(inner, dict):
            values.pop(str(step), None)
            return
        values = inner
    values.pop(str(path[-1]), None)


def _refusal(error: ValidationError, values: object) -> ApiError:
    located = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
    return from_validation_errors(located, values)


async def refuse_repeated_fields(request: Request) -> None:
    """Raise 422 ``duplicate_field`` for a field given more than once in a body that FastAPI parses.

    Of what is no JSON the route's own answer tells.
    """
    if request.scope["route"].body_field is not None and is_json(request.headers):
        with suppress(ValueError, RecursionError):
            json.loads(await request.body(), object_pairs_hook=unique_fields)


def parsed(
    content: bytes, read: Callable[[object], ReadT], check: Check, holding: Holding, most_values: int = MAX_VALUES
) -> ReadT:
    """Return what `read` makes of the JSON once `check` has seen it; raises as they, `parse_json` and `Budget.take`."""
    holding.take_memory(parsed_size(content))
    values = parse_json(content, most_values)
    check(values)
    return read(values)
