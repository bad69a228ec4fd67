"""How routes describe their answers' headers in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

Answers = dict[int | str, dict[str, Any]]

_TEXT = {"type": "string"}
LOCATION = {"Location": {"schema": _TEXT, "required": True, "description": "Where the resource is."}}
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "required": True, "description": "When to ask again."}}
ETAG = {"ETag": {"schema": _TEXT, "required": True, "description": "For `If-None-Match`."}}
IF_NONE_MATCH: dict[str, Any] = {
    "parameters": [
        {"in": "header", "name": "If-None-Match", "schema": _TEXT, "description": "An `ETag` that was answered."}
    ]
}


def answers(model: type[BaseModel], status: int = 200, *headers: dict[str, Any]) -> Answers:
    """Return the description of an answer and its headers."""
    return {status: {"model": model, "headers": {name: value for each in headers for name, value in each.items()}}}


def conditional(model: type[BaseModel]) -> Answers:
    """Return the description of an answer with an ETag; the route adds `IF_NONE_MATCH` to its parameters."""
    return {**answers(model, 200, ETAG), 304: {"description": "Nothing has changed.", "headers": ETAG}}
