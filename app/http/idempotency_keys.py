"""Idempotency keys: what a creating request was answered, kept so that it can be asked again safely."""

import json
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, JsonValue
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.clock import utcnow
from store.database import Database
from store.ids import new_id
from store.tables import IdempotencyKey


@dataclass(frozen=True)
class Answer:
    """What a creating request is answered."""

    status: int
    body: dict[str, JsonValue]
    headers: dict[str, str]

    @classmethod
    def of(cls, status: int, document: BaseModel, headers: dict[str, str] | None = None) -> "Answer":
        """Return the answer whose body is `document`."""
        return cls(status, document.model_dump(mode="json"), headers or {})


@dataclass(frozen=True)
class Claim:
    """The right to execute the request of `key`; `token` tells it from a later claim that took the key over."""

    owner: str
    key: str
    token: str


class KeyReused(Exception):
    """The key was used for another request."""


class KeyInFlight(Exception):
    """The key's first request is still being executed, or lost the key to a later one."""


@dataclass(frozen=True)
class Keys:
    """The keys of one owner: answers live `ttl`; a request that took longer than `in_flight` counts as crashed."""

    database: Database
    owner: str
    ttl: timedelta
    in_flight: timedelta

    def begin(self, key: str, route: str, request_hash: str) -> Answer | Claim:
        """Return the stored answer, or claim the key; raises `KeyReused` or `KeyInFlight`."""
        try:
            return self._begin(key, route, request_hash)
        except IntegrityError:
            # another request inserted the same key between our look and our insert
            return self._begin(key, route, request_hash)

    def _begin(self, key: str, route: str, request_hash: str) -> Answer | Claim:
        now = utcnow()
        claim = Claim(self.owner, key, new_id("claim"))
        with self.database.write() as session:
            session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - self.ttl))
            row = session.get(IdempotencyKey, (self.owner, key), with_for_update=True)
            if row is None:
                row = IdempotencyKey(owner=self.owner, key=key, route=route, request_hash=request_hash)
                session.add(row)
            elif row.route != route or row.request_hash != request_hash:
                raise KeyReused(key)
            elif row.state == "done":
                return Answer(row.status_code or 200, row.body or {}, row.headers or {})
            elif abs(now - row.created_at) < self.in_flight:  # either way: the clock may have been set back
                raise KeyInFlight(key)
            row.state, row.claim, row.created_at = "in_flight", claim.token, now
        return claim

    def abandon(self, claim: Claim) -> None:
        """Free the key of a request that created nothing, so that it can be tried again."""
        with self.database.write() as session:
            session.execute(
                delete(IdempotencyKey).where(
                    IdempotencyKey.owner == claim.owner,
                    IdempotencyKey.key == claim.key,
                    IdempotencyKey.claim == claim.token,
                    IdempotencyKey.state == "in_flight",
                )
            )


def complete(session: Session, claim: Claim, answer: Answer) -> None:
    """Store the answer in the transaction that creates what it describes; raises `KeyInFlight` if the key was lost."""
    session.flush()
    held = session.scalars(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.owner == claim.owner,
            IdempotencyKey.key == claim.key,
            IdempotencyKey.claim == claim.token,
        )
        .values(
            state="done",
            status_code=answer.status,
            body=answer.body,
            body_bytes=len(json.dumps(answer.body)),
            headers=answer.headers,
        )
        .returning(IdempotencyKey.key)
    ).all()
    if not held:
        raise KeyInFlight(claim.key)
