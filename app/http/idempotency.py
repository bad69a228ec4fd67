"""``Idempotency-Key`` on creating POSTs: the same key and the same parsed content give the same answer."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from app.http.errors import ApiError, conflict, invalid
from app.http.idempotency_keys import Answer, Claim, KeyInFlight, KeyReused, Keys, complete
from app.http.received_files import StagedFile


def _only_key(
    request: Request, key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)] = None
) -> str | None:
    if len(set(request.headers.getlist("idempotency-key"))) > 1:
        raise invalid("invalid_value", "Send one Idempotency-Key, not several.", "/header/Idempotency-Key")
    return key


IdempotencyKeyHeader = Annotated[str | None, Depends(_only_key)]

# stores the answer in the transaction that creates what it describes
Store = Callable[[Session, Answer], None]


class Replayed(Exception):
    """The request was executed before; `answer` is what it was answered."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("replayed")
        self.answer = answer


@contextmanager
def idempotent(keys: Keys, key: str | None, route: str, content: object) -> Iterator[Store]:
    """Run the block once for `key`; it must call the yielded function inside its transaction.

    Raises `Replayed` before the block runs when it ran before. A block that raises frees the key.
    """
    if key is None:
        yield lambda session, answer: None
        return
    try:
        claim = keys.begin(key, route, content_hash(content))
        if isinstance(claim, Answer):
            raise Replayed(claim)
        with _freed_on_failure(keys, claim):
            yield lambda session, answer: complete(session, claim, answer)
    except KeyReused as error:
        message = f"Idempotency-Key {key!r} was used for another request; use a new key for new content."
        raise ApiError(422, "idempotency_key_reused", message) from error
    except KeyInFlight as error:
        raised = conflict("idempotency_key_in_flight", "The first request with this key is still running.", retry=True)
        raised.headers["Retry-After"] = "1"
        raise raised from error


@contextmanager
def _freed_on_failure(keys: Keys, claim: Claim) -> Iterator[None]:
    try:
        yield
    except BaseException:
        keys.abandon(claim)
        raise


def content_hash(content: object) -> str:
    """Return the SHA-256 of parsed content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def form_content(fields: Mapping[str, object], files: list[StagedFile]) -> Mapping[str, object]:
    """Return what counts of a form: field values, and names and hashes of files in any order."""
    return {"fields": fields, "files": sorted([file.filename, file.sha256] for file in files)}


def respond(answer: Answer, *, replayed: bool = False) -> Response:
    """Render an answer."""
    extra = {"Idempotency-Replayed": "true"} if replayed else {}
    return JSONResponse(answer.body, answer.status, {**answer.headers, **extra})
