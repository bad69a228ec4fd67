"""Entity tags: 304 instead of a body that the client has already."""

import hashlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


def conditional_json(request: Request, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Return `body` with its ETag, or 304 when ``If-None-Match`` names it."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    headers = {**(headers or {}), "ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Prefer"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the header names `etag` (weak comparison, RFC 9110)."""
    if if_none_match is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag in given
