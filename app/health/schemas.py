"""Health: the documents."""

from typing import Literal

from app.http.schemas import Closed


class CheckDocument(Closed):
    """Whether a part of the service works, and why not."""

    ok: bool
    reason: str | None


class ReadyDocument(Closed):
    """Whether requests can be served."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckDocument]
