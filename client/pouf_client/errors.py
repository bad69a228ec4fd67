"""What the client raises."""

from typing import NotRequired, TypedDict

import httpx

from pouf_client.results import Document

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
LONGEST_RETRY_AFTER = 60.0


class ClientError(Exception):
    """The base of everything raised here."""


class Unreachable(ClientError):
    """No answer came, after all retries."""

    passing = True
    retry_after: float | None = None


class JobFailed(ClientError):
    """The job that was waited for ended as `failed` or `cancelled`."""

    def __init__(self, job_id: str, status: str, code: str | None, message: str | None) -> None:
        super().__init__(f"{job_id} {status}: {message or 'no reason given'}" + (f" ({code})" if code else ""))
        self.job_id = job_id
        self.status = status
        self.code = code


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


class ApiError(ClientError):
    """The service refused a request; the fields are those of its `application/problem+json` answer.

    Attributes:
        status: the HTTP status.
        code: stable, for programs; `unknown` when the answer was no problem document.
        detail: for people.
        errors: one for each thing wrong with the request.
        request_id: to find the request in the server's log.
        should_retry: False when the service says that the same request can never succeed.
        retry_after: the seconds, at most 60, after which the service asks to be tried again; None where it does not.
    """

    def __init__(
        self, status: int, problem: Document, should_retry: bool = True, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.code: str = problem.get("code") or "unknown"
        self.detail: str = problem.get("detail") or problem.get("title") or f"HTTP status {status}"
        self.errors: list[FieldError] = problem.get("errors") or []
        self.request_id: str | None = problem.get("request_id")
        self.should_retry = should_retry
        self.retry_after = retry_after
        super().__init__(f"{self.detail} ({status} {self.code})")

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later: the service is busy, or still at work on the first try of it."""
        in_flight = self.status == 409 and "idempotency" in self.code
        return self.should_retry and (in_flight or self.status in RETRIED_STATUSES)

    @classmethod
    def of(cls, response: httpx.Response) -> "ApiError":
        """The error that an answer carries; its body must have been read."""
        try:
            problem = response.json()
        except ValueError:
            problem = {"detail": response.text[:500]}
        if not isinstance(problem, dict):
            problem = {"detail": response.text[:500]}
        should_retry = response.headers.get("x-should-retry") != "false"
        seconds = response.headers.get("Retry-After", "")
        retry_after = min(LONGEST_RETRY_AFTER, float(seconds)) if seconds.isdecimal() else None
        return cls(response.status_code, problem, should_retry, retry_after)
