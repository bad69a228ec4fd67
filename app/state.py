"""What lives as long as the process, and how routes reach it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.auth.authentication import Authenticator
from app.auth.identity import KeyLimits
from app.http.idempotency_keys import Keys
from app.http.metrics import HttpMetrics
from app.publishing import Publisher, Queue
from app.serving.engine import Engine
from store.database import Database
from store.scope import Scope
from store.settings import Settings
from store.staging import staging_root
from store.storage import Storage


@dataclass(frozen=True)
class State:
    """The parts of a running API process."""

    settings: Settings
    database: Database
    storage: Storage
    queue: Queue
    publisher: Publisher
    engine: Engine
    metrics: HttpMetrics
    authenticator: Authenticator

    @property
    def staging_root(self) -> Path:
        """Where uploads are received."""
        return staging_root(self.settings.data_dir)


@dataclass(frozen=True)
class Caller:
    """A request's owner and limits together with the state; everything a service needs."""

    state: State
    owner: str
    limits: KeyLimits | None = None

    def scope(self, session: Session) -> Scope:
        """Return `session` as the owner sees it."""
        return Scope(session, self.owner)

    @property
    def keys(self) -> Keys:
        """The owner's idempotency keys."""
        settings = self.state.settings
        return Keys(
            self.state.database,
            self.owner,
            timedelta(hours=settings.idempotency_ttl_hours),
            timedelta(seconds=settings.idempotency_in_flight_seconds),
        )


def get_state(request: Request) -> State:
    """Return the state that the factory put on the application."""
    state: State = request.app.state.pouf
    return state


StateDep = Annotated[State, Depends(get_state)]
