"""The service that faults are injected into, and the moments that they wait for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil
from sqlalchemy import Select, func, select

from store.database import Database
from store.tables import Dataset, Job
from tests.chaos.clock import MovableClock
from tests.chaos.disk import SmallDisk
from tests.chaos.service import ChaosService
from tests.silent_proxy import SilentProxy

TARGET_SECONDS = 15.0
#: A full disk has to meet a certain moment, and then something that writes.
MOMENT_SECONDS = 45.0
FAILURE_SECONDS = 20.0

Found = TypeVar("Found")


class NoTarget(Exception):
    """The target of a fault did not appear in time."""


@dataclass(frozen=True)
class Scene:
    """The service and everything around it that a fault may touch."""

    service: ChaosService
    database: Database
    disk: SmallDisk | None
    clock: MovableClock
    random: random.Random
    proxy: SilentProxy | None = None
    storage: SilentProxy | None = None

    def await_one(self, find: Callable[[], list[psutil.Process]]) -> psutil.Process:
        """One of the processes that `find` gives, which may have to start first; raises `NoTarget`."""
        return self.random.choice(self._await(find))

    def await_training(self) -> None:
        """Wait until a job trains, which writes checkpoints; raises `NoTarget`."""
        query = select(func.count()).where(Job.status == "running", Job.stage == "training")
        self._await(lambda: self._count(query), MOMENT_SECONDS)

    def await_model(self) -> None:
        """Wait until a job's model is about to be written; raises `NoTarget`."""
        query = select(func.count()).where(Job.status == "running", Job.stage.in_(("evaluating", "exporting")))
        folder = self.service.directory.root / "work"
        self._await(lambda: [*self._count(query), *(1 for _ in folder.glob("*/*/artifact*"))], MOMENT_SECONDS)

    def await_ingestion(self) -> None:
        """Wait until a worker has begun to ingest a dataset; raises `NoTarget`."""
        query = select(func.count()).where(Dataset.status == "ingesting", Dataset.lease_owner.is_not(None))
        self._await(lambda: self._count(query), MOMENT_SECONDS)

    def await_failure(self, fails: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        """Wait until something fails; raises `NoTarget`."""

        def look() -> list[bool]:
            meanwhile()
            return [True] if fails() else []

        self._await(look, FAILURE_SECONDS)

    def _count(self, query: Select[tuple[int]]) -> list[int]:
        with self.database.read() as session:
            count = session.scalar(query)
        return [count] if count else []

    def _await(self, find: Callable[[], list[Found]], seconds: float = TARGET_SECONDS) -> list[Found]:
        give_up_at = time.monotonic() + seconds
        while not (found := find()):
            if time.monotonic() > give_up_at:
                raise NoTarget
            self.service.wait(0.05)
        return found
