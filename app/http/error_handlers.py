"""Every error of the application, however it was raised, as a problem document."""

import logging
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app.http.content_types import JSON, is_json, wrong_content_type
from app.http.errors import ApiError, from_pouf_error, no_space, problem_response
from app.http.metrics import METHODS
from app.http.page_paths import is_page
from app.http.validation_errors import from_validation_errors, malformed_json
from pouf_core.errors import InvalidInput, PoufError
from store.disk import is_disk_full
from store.redaction import redact_paths
from store.settings import Settings

logger = logging.getLogger(__name__)

HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 415: "unsupported_media_type"}


def install_handlers(app: FastAPI, settings: Settings) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(PoufError, partial(_on_pouf_error, settings))
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return problem_response(request, error)


async def _on_pouf_error(settings: Settings, request: Request, error: Exception) -> Response:
    assert isinstance(error, PoufError)
    if is_disk_full(error):
        return problem_response(request, no_space())
    if not isinstance(error, InvalidInput):
        logger.error("request %s failed: %s", request.scope.get("request_id"), error)
    answer = from_pouf_error(error)
    answer.detail = redact_paths(answer.detail, settings)
    answer.errors = [replace(each, message=redact_paths(each.message, settings)) for each in answer.errors]
    return problem_response(request, answer)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # FastAPI makes a 400 of whatever happens while it reads a body
    if isinstance(error.__cause__, ApiError):
        return problem_response(request, error.__cause__)
    if isinstance(error.__cause__, OSError | MemoryError):  # of this machine, which receives forms in temporary files
        raise error.__cause__
    if isinstance(error.__cause__, ValueError | RecursionError):
        return problem_response(request, malformed_json())
    status = HTTPStatus(error.status_code)
    code = HTTP_CODES.get(status, status.phrase.lower().replace(" ", "_"))
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return problem_response(request, ApiError(status, code, str(error.detail), headers=headers))


def _methods_at(request: Request) -> set[str]:
    """Return every method of the path; what raised the error knows those of the first route alone."""
    found = {
        method
        for method in METHODS
        for route in request.app.router.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return found | {"HEAD"} if "GET" in found else found


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    body = error.body
    if is_page(request.url.path):  # which is sent forms
        body = dict(body) if isinstance(body, FormData) else body
    elif body is not None and not is_json(request.headers):
        return problem_response(request, wrong_content_type(request.headers, JSON))
    return problem_response(request, from_validation_errors(error.errors(), body))
