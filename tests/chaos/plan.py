"""Which faults there are, how often each, how long it lasts, and their order."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace

from tests.chaos import faults
from tests.chaos.faults import Injection
from tests.chaos.scene import Scene
from tests.chaos.service import ChaosService as Service


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its share among all, and the least and most seconds that it lasts."""

    name: str
    share: float
    seconds: tuple[float, float]
    inject: Injection


AT_ONCE = (0.0, 0.0)
#: From a hiccup to longer than a lease.
WHILE = (1.0, 12.0)
#: Beside the time until something has failed.
SOON = (0.0, 6.0)

BROKER_DOWN = Kind("broker down", 2, (1.0, 5.0), faults.broker_down)
EVERYWHERE = [
    Kind("kill job process", 20, AT_ONCE, faults.kill(Service.job_children)),
    Kind("kill train worker", 12, AT_ONCE, faults.kill(Service.train_workers)),
    Kind("kill train worker's pool", 8, AT_ONCE, faults.kill(Service.train_pools)),
    Kind("kill ingest worker", 5, AT_ONCE, faults.kill(Service.ingest_workers)),
    Kind("kill API", 6, AT_ONCE, faults.kill(Service.api)),
    Kind("kill reaper", 3, AT_ONCE, faults.kill(Service.reaper)),
    Kind("kill broker", 6, AT_ONCE, faults.kill(Service.broker_server)),
    Kind("stop job process", 6, WHILE, faults.stand_still(Service.job_children)),
    Kind("stop train worker", 6, WHILE, faults.stand_still(Service.train_workers)),
    Kind("stop API", 4, WHILE, faults.stand_still(Service.api)),
    Kind("stop broker", 4, WHILE, faults.stand_still(Service.broker_server)),
    Kind("wipe broker", 7, AT_ONCE, faults.broker_wiped),
    BROKER_DOWN,
    Kind("broker full", 4, WHILE, faults.broker_full),
    Kind("clock moved", 6, AT_ONCE, faults.clock_moved),
    Kind("broker down for a minute", 1, (60.0, 60.0), faults.broker_down),
]
ON_SQLITE = Kind("database locked", 7, WHILE, faults.database_locked)
DATABASE_SILENT = Kind("database silent", 4, WHILE, faults.database_silent)
ON_POSTGRES = [
    Kind("database connections cut", 7, (0.0, 4.0), faults.connections_cut),
    Kind("database connections taken", 4, WHILE, faults.connections_taken),
    DATABASE_SILENT,
]
STORAGE_AWAY = Kind("storage away", 6, WHILE, faults.storage_away)
STORAGE_SILENT = Kind("storage silent", 6, WHILE, faults.storage_silent)
ON_S3 = [
    STORAGE_SILENT,
    Kind("host vanished", 8, AT_ONCE, faults.host_vanished),
]
WITH_A_DISK = [
    Kind("disk full while uploading", 2, SOON, faults.disk_full(lambda scene: None, faults.an_upload)),
    Kind("disk full while ingesting", 3, SOON, faults.disk_full(Scene.await_ingestion, faults.told_by("ingest.log"))),
    Kind("disk full while training", 3, SOON, faults.disk_full(Scene.await_training, faults.told_by("job_*.log"))),
    Kind("disk full while publishing", 3, SOON, faults.disk_full(Scene.await_model, faults.told_by("train*.log"))),
]


def kinds_for(scene: Scene) -> list[Kind]:
    """The faults that can be injected here."""
    kinds = [*EVERYWHERE, *([ON_SQLITE] if scene.database.is_sqlite else ON_POSTGRES)]
    kinds += ON_S3 if scene.storage is not None else [STORAGE_AWAY]
    if scene.disk is not None:
        kinds += WITH_A_DISK
    return kinds


def chosen(kinds: list[Kind], only: Collection[str], without: Collection[str]) -> list[Kind]:
    """The kinds by those names, all when `only` is empty; raises `ValueError` for one that cannot be injected here."""
    unknown = {*only} - {kind.name for kind in kinds}
    if unknown:
        raise ValueError(f"No such faults here: {', '.join(sorted(unknown))}")
    return [kind for kind in kinds if (not only or kind.name in only) and kind.name not in without]


def outages(scene: Scene, minutes: float) -> list[Kind]:
    """Database, storage and broker, each away for so long; none without minutes."""
    database = ON_SQLITE if scene.database.is_sqlite else DATABASE_SILENT
    storage = STORAGE_AWAY if scene.storage is None else STORAGE_SILENT
    seconds = (60 * minutes, 60 * minutes)
    return [
        replace(kind, name=f"{kind.name} for {minutes:g} min", seconds=seconds)
        for kind in (database, storage, BROKER_DOWN)
        if minutes
    ]


def draw(kinds: list[Kind], count: int, randomness: random.Random) -> list[Kind]:
    """`count` faults in random order: every kind by its share, each at least once where there is room for all."""
    chosen = list(kinds) if count >= len(kinds) else []
    rest = max(0, count - len(chosen))
    chosen += randomness.choices(kinds, [kind.share for kind in kinds], k=rest)
    randomness.shuffle(chosen)
    return chosen
