"""What the service has to do and what is stored: an owner's own, or everybody's for whoever runs the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.caller import Caller
from app.jobs.queries import counts_by_status, oldest_queued_at
from store import disk, heartbeats, usage
from store.disk import Disk
from store.leases import database_now
from store.usage import OwnerUsage


@dataclass(frozen=True)
class Worker:
    """A process that works outside requests: what it works on, and seconds since it was last seen."""

    name: str
    kind: str
    seconds_ago: float

    @property
    def is_lost(self) -> bool:
        """Whether it should have been seen since."""
        return self.seconds_ago > heartbeats.LOST_AFTER.total_seconds()


@dataclass(frozen=True)
class Everything:
    """What only whoever runs the service sees.

    Attributes:
        jobs: of all owners, by status.
        oldest_queued_at: since when the job waits that waits longest for a worker.
        workers: by name.
        disk: the scarcest.
    """

    jobs: Mapping[str, int]
    oldest_queued_at: datetime | None
    workers: Sequence[Worker]
    disk: Disk


@dataclass(frozen=True)
class Own:
    """An owner's own.

    Attributes:
        jobs: by status.
        files: bytes and items.
        database_bytes: about what jobs, models and audits take in the database.
    """

    jobs: Mapping[str, int]
    files: OwnerUsage
    database_bytes: int


def own(caller: Caller) -> Own:
    """Return what the caller's owner has."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        files = OwnerUsage(usage.stored_bytes(scope), usage.items(scope))
        return Own(counts_by_status(scope, own=True), files, usage.database_bytes(scope))


def everything(caller: Caller) -> Everything:
    """Return what all owners have together, and what works for them."""
    state = caller.state
    with state.database.read() as session:
        scope = caller.scope(session)
        now = database_now(session)
        workers = [
            Worker(seen.name, seen.kind, max((now - seen.seen_at).total_seconds(), 0.0))
            for seen in heartbeats.seen(session)
        ]
        jobs, oldest = counts_by_status(scope), oldest_queued_at(scope)
    return Everything(jobs, oldest, workers, disk.scarcest(state.settings, state.storage))


def owners(caller: Caller) -> Mapping[str, OwnerUsage]:
    """Return what each owner stores, those first who store most. It is added up over whole tables."""
    with caller.state.database.read() as session:
        return usage.by_owner(session)
