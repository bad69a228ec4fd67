"""What every task needs: settings, database, storage, broker and a name for this process."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from store.database import Database
from store.disk import shortage
from store.ids import new_id
from store.outbox import Send, publish_pending
from store.private_files import make_data_private
from store.settings import Settings
from store.storage import Storage


@dataclass(frozen=True)
class WorkerContext:
    """The surroundings of a task; `worker_id` is unique to one process of one machine."""

    settings: Settings
    database: Database
    storage: Storage
    send: Send
    worker_id: str

    def publish(self) -> None:
        """Send what was just committed to the outbox; what cannot be sent now is left to the reaper."""
        publish_pending(self.database, self.send)


def create_context(settings: Settings, send: Send) -> WorkerContext:
    """Connect to what the settings name."""
    make_data_private(settings)
    return WorkerContext(
        settings=settings,
        database=Database.of(settings),
        storage=Storage.of(settings),
        send=send,
        worker_id=new_id(f"{socket.gethostname()}-{os.getpid()}"),
    )


def lack_of_space(context: WorkerContext) -> str | None:
    """Why new work must wait for space on this host's disks, or None; copies that nobody reads make room first."""
    context.storage.cache.trim()
    if shortage(context.settings, context.storage) is None:
        return None
    if context.storage.local_root is None:
        context.storage.cache.trim(budget=0, recent=0)
    return shortage(context.settings, context.storage)
