"""What the client raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import httpx

from pouf_client.addresses import without_password
from pouf_client.results import CodedMessage, Document

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
#: The HTTP status of a request whose body is too large.
TOO_LARGE = 413
LONGEST_RETRY_AFTER = 60.0
LONGEST_QUOTE = 200


class Candidate(TypedDict):
    """A column that may hold the texts of a table: its number from 0, its heading, and its first cells."""

    column: int
    heading: str | None
    examples: list[str]


class FieldError(TypedDict):
    """What is wrong with one field of a request; `pointer` is a JSON pointer to it, `candidate` what may be meant."""

    pointer: str
    code: str
    message: str
    candidate: NotRequired[Candidate]


class ClientError(Exception):
    """The base of everything raised here.

    Attributes:
        code: stable, for programs.
        message: one line for people.
        field: the argument or the JSON pointer that it is about, if it is about one.
        details: one for each thing wrong, where the service named several.
    """

    def __init__(
        self, message: str, *, code: str = "client_error", field: str | None = None, details: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str | None = code
        self.field = field
        self.details = list(details)


class InvalidInput(ClientError, ValueError):
    """What was given cannot be used, as the client or the service found."""


class MissingFile(InvalidInput, FileNotFoundError):
    """A file or folder that was named is not there."""


class ClosedClient(ClientError):
    """The client was closed before."""

    def __init__(self) -> None:
        super().__init__(
            "This client is closed: make the call inside its `with` block, or make a new client.", code="client_closed"
        )


class WaitTimeout(ClientError, TimeoutError):
    """What was waited for had not ended in time; it goes on by itself."""


class Unreachable(ClientError):
    """No answer came, after all retries."""

    passing = True
    retry_after: float | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message, code="unreachable")


class DamagedDownload(ClientError):
    """What was fetched is not whole."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="damaged_download")


class Failed(ClientError):
    """What was waited for ended without success; `code` and the message are the service's reasons."""

    def __init__(self, resource_id: str, status: str, error: CodedMessage | None) -> None:
        ended = "was cancelled" if status == "cancelled" else f"has {status}"
        reason = f": {error['message']} ({error['code']})" if error else "."
        super().__init__(f"{resource_id} {ended}{reason}")
        self.resource_id = resource_id
        self.status = status
        self.code = error["code"] if error else None


class JobFailed(Failed):
    """The job or batch prediction that was waited for ended as `failed` or `cancelled`."""

    @property
    def job_id(self) -> str:
        """Which."""
        return self.resource_id


class DatasetFailed(Failed):
    """The files of the dataset that was waited for could not be used."""


class ApiError(ClientError):
    """The service refused a request; the fields are those of its `application/problem+json` answer.

    Its subclasses are the families: `RefusedInput`, `Unauthorized`, `Forbidden`, `NotFound`, `Conflict`, `RateLimited`,
    `Unavailable`, `StorageFull`, and `ServerError` for a fault of the service.

    Attributes:
        status: the HTTP status.
        code: stable, for programs; `unknown` when the answer was no problem document.
        detail: for people.
        errors: one for each thing wrong with the request; `details`, too.
        request_id: to find the request in the server's log.
        should_retry: False when the service says that the same request can never succeed.
        retry_after: the seconds, at most 60, after which the service asks to be tried again; None where it does not.
    """

    def __init__(
        self, status: int, problem: Document, should_retry: bool = True, retry_after: float | None = None
    ) -> None:
        code: str = problem.get("code") or "unknown"
        self.detail: str = problem.get("detail") or problem.get("title") or f"HTTP status {status}"
        self.errors: list[FieldError] = problem.get("errors") or []
        field = self.errors[0].get("pointer") if len(self.errors) == 1 else None
        super().__init__(f"{self.detail} ({status} {code})", code=code, field=field, details=self.errors)
        self.status = status
        self.request_id: str | None = problem.get("request_id")
        self.should_retry = should_retry
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later: the service is busy, or still at work on the first try of it."""
        in_flight = self.status == 409 and "idempotency" in (self.code or "")
        return self.should_retry and (in_flight or self.status in RETRIED_STATUSES)

    @classmethod
    def of(cls, response: httpx.Response) -> ApiError:
        """The error of its family that an answer carries; its body must have been read."""
        status = response.status_code
        should_retry = response.headers.get("x-should-retry") != "false"
        return _family(status)(status, _problem(response), should_retry, retry_after_of(response))


class RefusedInput(ApiError, InvalidInput):
    """The request says something that the service cannot use (400, 413, 415, 422)."""

    def of_each_input(self, count: int) -> list[CodedMessage]:
        """What the refusal of a prediction says of each of its inputs; raises it where it is about something else."""
        if self.status == TOO_LARGE and count == 1:
            message = f"It is too large to be sent: {self.detail}"
            return [CodedMessage(code=self.code or "body_too_large", message=message)]
        reasons = {
            entry["pointer"]: CodedMessage(code=entry["code"], message=entry["message"]) for entry in self.errors
        }
        pointers = [f"/inputs/{index}" for index in range(count)]
        if reasons.keys() != set(pointers):
            raise self
        return [reasons[pointer] for pointer in pointers]

    def over_inputs(self, reasons: Sequence[CodedMessage]) -> RefusedInput:
        """The same refusal where the inputs went in several requests, which were all refused."""
        errors = [{"pointer": f"/inputs/{index}", **reason} for index, reason in enumerate(reasons)]
        problem = {"code": self.code, "detail": self.detail, "errors": errors, "request_id": self.request_id}
        return RefusedInput(self.status, problem, self.should_retry)


class Unauthorized(ApiError):
    """The key is missing, wrong, expired or revoked (401)."""


class Forbidden(ApiError):
    """The key may not do this, or the service does not answer from here (403, 421)."""


class NotFound(ApiError):
    """There is no such resource, or it is another owner's (404)."""


class Deleted(NotFound):
    """What was waited for was deleted meanwhile."""

    def __init__(self, cause: NotFound, resource_id: str) -> None:
        problem = {"code": cause.code, "detail": f"{resource_id} was deleted while it was waited for."}
        super().__init__(cause.status, problem, cause.should_retry)


class Conflict(ApiError):
    """Not possible in the state that the resource is in (409)."""


class RateLimited(ApiError):
    """A limit of the key or its owner is reached (429)."""


class Unavailable(ApiError):
    """The service, or what is before it, cannot answer now (408, 502, 503, 504)."""


class StorageFull(ApiError):
    """The service has no room for more (507)."""


class ServerError(ApiError):
    """A fault of the service (other 5xx)."""


_FAMILIES: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    421: Forbidden,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: StorageFull,
}


def retry_after_of(response: httpx.Response) -> float | None:
    """The seconds, at most 60, after which an answer asks to be tried again; None where it states none, or a date."""
    seconds = response.headers.get("Retry-After", "")
    return min(LONGEST_RETRY_AFTER, float(seconds)) if seconds.isdecimal() else None


def _family(status: int) -> type[ApiError]:
    return _FAMILIES.get(status) or (ServerError if status >= 500 else RefusedInput if status >= 400 else ApiError)


def _problem(response: httpx.Response) -> Document:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and "code" in problem:
        return problem
    url = without_password(response.url)
    if response.has_redirect_location:
        return {"detail": f"{url} redirects to {response.headers['Location']}: give that address."}
    said = " ".join(response.text.split())[:LONGEST_QUOTE]
    advice = "that is no error of a POUF service; check the address"
    return {"detail": f"{url} answered {response.status_code} and {said!r}: {advice}."}
