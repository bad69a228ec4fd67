"""Answers with headers: how the OpenAPI document describes them, and 304 in place of a body that the client has."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

# what FastAPI takes for `responses`
Answers = dict[int | str, dict[str, Any]]
Headers = dict[str, dict[str, object]]

POLL_SECONDS = "2"
_TEXT = {"type": "string"}
LOCATION: Headers = {"Location": {"schema": _TEXT, "required": True, "description": "Where the resource is."}}
RETRY_AFTER: Headers = {
    "Retry-After": {"schema": {"type": "integer"}, "required": True, "description": "When to ask again."}
}
ETAG: Headers = {"ETag": {"schema": _TEXT, "required": True, "description": "For `If-None-Match`."}}
IF_NONE_MATCH: dict[str, object] = {
    "parameters": [
        {"in": "header", "name": "If-None-Match", "schema": _TEXT, "description": "An `ETag` that was answered."}
    ]
}


def answers(model: type[BaseModel], status: int = 200, *headers: Headers) -> Answers:
    """Return the description of an answer and its headers."""
    return {status: {"model": model, "headers": {name: value for each in headers for name, value in each.items()}}}


def conditional(model: type[BaseModel]) -> Answers:
    """Return the description of an answer with an ETag; the route adds `IF_NONE_MATCH` to its parameters."""
    return {**answers(model, 200, ETAG), 304: {"description": "Nothing has changed.", "headers": ETAG}}


def conditional_json(request: Request, document: BaseModel, *, final: bool = True) -> Response:
    """Return `document` with its ETag, or 304 when ``If-None-Match`` names it; unless `final`, with ``Retry-After``."""
    body = document.model_dump(mode="json")
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Prefer"}
    if not final:
        headers["Retry-After"] = POLL_SECONDS
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the header names `etag` (weak comparison, RFC 9110)."""
    if if_none_match is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag in given
