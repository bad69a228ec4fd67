"""What lives as long as the process, and how routes reach it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from app.http.errors import ApiError
from app.http.metrics import HttpMetrics
from app.publishing import Publisher, Queue
from app.serving.engine import Engine
from app.serving.exports import Exports
from app.serving.planes import Planes
from app.serving.samples import Samples
from app.serving.thumbnails import Thumbnails
from app.serving.trials import Trials
from store import disk
from store.database import Database
from store.settings import Settings
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
    thumbnails: Thumbnails
    samples: Samples
    trials: Trials
    planes: Planes
    exports: Exports

    @property
    def staging_root(self) -> Path:
        """Where uploads are received."""
        return self.settings.staging_dir


async def get_state(request: Request) -> State:
    """Return the state that the factory put on the application; a coroutine, since others take a thread each time."""
    state: State = request.app.state.pouf
    return state


StateDep = Annotated[State, Depends(get_state)]


def require_space(state: State) -> None:
    """Raise 507 ``storage_full`` while less disk space is free than has to stay free.

    New work is refused then; reading, predicting and deleting go on.
    """
    lack = disk.shortage(state.settings, state.storage)
    if lack is not None:
        raise ApiError(
            507,
            "storage_full",
            f"{lack}: new work is refused. Delete datasets or models, or ask the operator to free space or to lower "
            "POUF_MIN_FREE_BYTES.",
        )
