"""What the client raises."""

from typing import Any

import httpx

RETRIED_STATUSES = frozenset({429, 502, 503, 504})


class ClientError(Exception):
    """The base of everything raised here."""


class Unreachable(ClientError):
    """No answer came, after all retries."""


class JobFailed(ClientError):
    """The job that was waited for ended as `failed` or `cancelled`."""

    def __init__(self, job_id: str, status: str, code: str | None, message: str | None) -> None:
        super().__init__(f"{job_id} {status}: {message or 'no reason given'}" + (f" ({code})" if code else ""))
        self.job_id = job_id
        self.status = status
        self.code = code


class ApiError(ClientError):
    """The service refused a request; the fields are those of its `application/problem+json` answer.

    Attributes:
        status: the HTTP status.
        code: stable, for programs; `unknown` when the answer was no problem document.
        detail: for people.
        errors: one `{pointer, code, message}` for each thing wrong with the request.
        request_id: to find the request in the server's log.
        should_retry: False when the service says that the same request can never succeed.
    """

    def __init__(self, status: int, problem: dict[str, Any], should_retry: bool = True) -> None:
        self.status = status
        self.code: str = problem.get("code") or "unknown"
        self.detail: str = problem.get("detail") or problem.get("title") or f"HTTP status {status}"
        self.errors: list[dict[str, Any]] = problem.get("errors") or []
        self.request_id: str | None = problem.get("request_id")
        self.should_retry = should_retry
        super().__init__(f"{self.detail} ({status} {self.code})")

    @property
    def passing(self) -> bool:
        """Whether the service is only busy, or briefly away: the same request may succeed later."""
        return self.should_retry and self.status in RETRIED_STATUSES

    @classmethod
    def of(cls, response: httpx.Response) -> "ApiError":
        """The error that an answer carries; its body must have been read."""
        try:
            problem = response.json()
        except ValueError:
            problem = {"detail": response.text[:500]}
        if not isinstance(problem, dict):
            problem = {"detail": response.text[:500]}
        return cls(response.status_code, problem, response.headers.get("x-should-retry") != "false")
