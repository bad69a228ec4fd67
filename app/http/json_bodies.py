"""JSON bodies, parsed and checked beside the event loop, within the memory that requests may hold."""

import json
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.http.budgets import Holding, holding_of
from app.http.errors import ApiError, FieldError, from_validation_errors, several
from app.http.executors import validating

SchemaT = TypeVar("SchemaT", bound=BaseModel)
Check = Callable[[object], None]

# about what each of them adds to what CPython's parser makes: list slots, strings, lists, objects and their entries
_BYTES_OF = {b",": 32, b'"': 28, b"[": 88, b"{": 64, b":": 104}
_WIDEST_CHARACTER = 4
#: The most classes, each with a prompt and label words, are about half.
MAX_VALUES = 100_000
MAX_DEPTH = 20


def is_json(request: Request) -> bool:
    """Tell whether the body is JSON by its content type; one without a type is."""
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def parsed_size(content: bytes) -> int:
    """Return about how many bytes parsing JSON takes at most, text and values together."""
    width = 1 if content.isascii() else _WIDEST_CHARACTER
    return 2 * width * len(content) + sum(each * content.count(mark) for mark, each in _BYTES_OF.items())


async def read_json(request: Request, schema: type[SchemaT], check: Check = lambda values: None) -> SchemaT:
    """Return the body as `schema`; `check` sees what was parsed before that, and may raise.

    Raises 400 ``malformed_json``, 415, 422 with every error, 413, 429 and 503 as `Budget.take`.
    """
    if not is_json(request):
        raise ApiError(415, "unsupported_media_type", "Send application/json.")
    content = await request.body()
    return await validating(_parse, content, schema, check, holding_of(request))


def json_body(schema: type[SchemaT]) -> Callable[[Request], Awaitable[SchemaT]]:
    """Return the dependency that is the request's body; the route describes it by `json_body_schema`."""

    async def body(request: Request) -> SchemaT:
        if not await request.body():
            raise several([FieldError("", "missing_field", "Send a JSON object.")])
        return await read_json(request, schema, refuse_many_values)

    return body


def refuse_many_values(values: object) -> None:
    """Refuse more than any honest body has, since each value may be at fault and answered.

    Raises 413 ``too_many_values``, or 422 ``nested_too_deeply``.
    """
    level, depth, count = [values], 0, 0
    while level:
        members = [member for value in level for member in _members(value)]
        count += len(members)
        depth += 1
        if count > MAX_VALUES:
            raise ApiError(413, "too_many_values", f"A JSON body holds at most {MAX_VALUES:,} values.")
        if depth > MAX_DEPTH:
            raise ApiError(422, "nested_too_deeply", f"Lists and objects are nested at most {MAX_DEPTH} deep.")
        level = [member for member in members if isinstance(member, dict | list)]


def _members(value: object) -> Collection[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def json_body_schema(schema: type[BaseModel]) -> dict[str, object]:
    """Return what a route says of its body in the OpenAPI document; `app.openapi` makes it a named schema."""
    described = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": described}}}}


def validate(schema: type[SchemaT], values: object) -> SchemaT:
    """Return `values` as `schema`; raises 422 with every error."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        located = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise from_validation_errors(located, values) from error


def _parse(content: bytes, schema: type[SchemaT], check: Check, holding: Holding) -> SchemaT:
    holding.take_memory(parsed_size(content))
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "malformed_json", "The request body is not valid JSON.") from error
    check(values)
    return validate(schema, values)
