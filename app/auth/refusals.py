"""The error answers of authentication and limits."""

from app.http.errors import ApiError


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
