"""The one exception of the API and how every error becomes an RFC 9457 problem document."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NotRequired

from fastapi import Request
from pydantic import ConfigDict, with_config
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from app.http.page_paths import is_page
from pouf_core.contract.file_reading import ColumnCandidate
from pouf_core.errors import InvalidInput, PoufError, TimedOut

#: An answer is no longer than what it answers.
MAX_ERRORS = 100
#: Codes of what pydantic finds, by `app.http.validation_errors`.
PYDANTIC = {"invalid_type", "invalid_value", "missing_field", "unknown_field"}
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `pointer` is a JSON pointer into the body, or ``/query/…``, ``/header/…``.

    `candidate`: what the field may be.
    """

    pointer: str
    code: str
    message: str
    candidate: ColumnCandidate | None = None


@dataclass
class ApiError(Exception):
    """An error answer: HTTP `status`, stable `code`, `detail` that says what to do."""

    status: int
    code: str
    detail: str
    errors: list[FieldError] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"


def invalid(code: str, detail: str, pointer: str | None = None) -> ApiError:
    """Return a 422 about one field, or about the request as a whole."""
    return ApiError(422, code, detail, [FieldError(pointer, code, detail)] if pointer else [])


def which_column(candidates: Sequence[ColumnCandidate]) -> list[FieldError]:
    """Return an error for each column that may hold the texts of a table that does not tell."""
    return [FieldError("/text_column", "table_ambiguous", each.in_words(), each) for each in candidates]


def not_found(what: str, name: str) -> ApiError:
    """Return a 404 whose code is ``<what>_not_found``."""
    return ApiError(404, f"{what.replace(' ', '_')}_not_found", f"There is no {what} {name!r}.")


def conflict(code: str, detail: str, *, retry: bool = False) -> ApiError:
    """Return a 409; unless `retry`, clients are told that asking again is useless."""
    return ApiError(409, code, detail, headers={"x-should-retry": "true" if retry else "false"})


def unauthorized(code: str, detail: str) -> ApiError:
    """Return a 401 that says how to authenticate."""
    return ApiError(401, code, detail, headers={"WWW-Authenticate": "Bearer"})


def forbidden(code: str, detail: str) -> ApiError:
    """Return a 403."""
    return ApiError(403, code, detail)


def too_many(code: str, detail: str, retry_after: int, *, retry: bool = True) -> ApiError:
    """Return a 429; unless `retry`, waiting alone does not help: something has to be deleted first."""
    headers = {"Retry-After": str(retry_after), "x-should-retry": "true" if retry else "false"}
    return ApiError(429, code, detail, headers=headers)


def client_left() -> ApiError:
    """Return the error of a request whose client is gone: nobody reads it, logs and metrics show it."""
    return ApiError(400, "client_closed_request", "The client left.")


def body_too_large(limit: int) -> ApiError:
    """Return the 413 for a body above `limit` bytes."""
    return ApiError(413, "body_too_large", f"The request body is larger than {limit:,} bytes.")


def no_space() -> ApiError:
    """Return the 507 of what a full disk prevented."""
    return ApiError(507, "storage_full", "There is no space left on the disk; try again when space was freed.")


def several(errors: Iterable[FieldError]) -> ApiError:
    """Return one 422 for `errors`, which lists the first 100; its code is theirs when they agree, else
    ``invalid_request``.
    """
    found = list(dict.fromkeys(errors))
    codes = {error.code for error in found}
    code = codes.pop() if len(codes) == 1 else "invalid_request"
    return ApiError(422, code, _joined(found), found[:MAX_ERRORS])


def _joined(errors: Sequence[FieldError]) -> str:
    return "; ".join(f"{error.pointer}: {error.message}" for error in errors[:5])


def in_words(error: ApiError) -> list[str]:
    """Return what is wrong for people, to whom pointers say nothing: of fields that `detail` joins each message."""
    return [_of_field(each) for each in error.errors] if error.detail == _joined(error.errors) else [error.detail]


def _of_field(error: FieldError) -> str:
    """Pydantic's messages do not name what they are about; ours do."""
    names = [part for part in error.pointer.split("/") if part and not part.isdecimal()]
    return f"{names[-1].replace('_', ' ')}: {error.message}" if error.code in PYDANTIC and names else error.message


def from_pouf_error(error: PoufError) -> ApiError:
    """Return the API's form of an error raised by the method library."""
    if isinstance(error, InvalidInput):
        return invalid(error.code, error.message, error.field)
    if isinstance(error, TimedOut):
        return ApiError(503, error.code, error.message, headers={"Retry-After": "10", "x-should-retry": "true"})
    return ApiError(500, error.code, error.message)


class Candidate(TypedDict):
    """A column that may be meant; see `ColumnCandidate`."""

    column: int
    heading: str | None
    examples: list[str]


class ProblemField(TypedDict):
    """What is wrong with one field."""

    pointer: str
    code: str
    message: str
    candidate: NotRequired[Candidate]


@with_config(ConfigDict(extra="forbid"))
class Problem(TypedDict):
    """The body of every error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[ProblemField]


def problem_document(error: ApiError, path: str, request_id: str) -> Problem:
    """Return the body of the answer."""
    return {
        "type": f"urn:pouf:error:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "instance": path,
        "code": error.code,
        "request_id": request_id,
        "errors": [problem_field(each) for each in error.errors],
    }


def problem_field(error: FieldError) -> ProblemField:
    """Return what the answer says of one field."""
    field: ProblemField = {"pointer": error.pointer, "code": error.code, "message": error.message}
    meant = error.candidate
    if meant is not None:
        field["candidate"] = {"column": meant.column, "heading": meant.heading, "examples": meant.examples}
    return field


def problem_response(request: Request, error: ApiError) -> Response:
    """Render `error` for `request`: as a document, or as the application's error page where people look."""
    error_page: ErrorPage | None = getattr(request.app.state, "error_page", None)
    if error_page is not None and is_page(request.url.path):
        return error_page(request, error)
    document = problem_document(error, request.url.path, request.scope.get("request_id", ""))
    return JSONResponse(document, error.status, error.headers, media_type=PROBLEM_JSON)


ErrorPage = Callable[[Request, ApiError], Response]
