"""Exports of models, made one at a time in processes of their own; owners take turns."""

import shutil
import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from app.serving.turns import TurnThreads, require_turn
from pouf_core.contract.exports import EXPORT_CARD, ExportOptions, ExportTask
from pouf_core.errors import PoufError
from pouf_core.exports.exporting import export_apart
from store.database import Database
from store.export_bytes import count_exports
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage
from store.storage_keys import export_key

#: That wait or are being made; beyond, requests are refused.
MOST_WAITING = 16
RETRY_SECONDS = 10


@dataclass(frozen=True)
class ExportWanted:
    """An export of a model.

    Attributes:
        owner: who asks.
        model_id: whose it is.
        name: of the export among the model's.
        artifact: the key of the model in the storage.
        options: what it is to be.
    """

    owner: str
    model_id: str
    name: str
    artifact: str
    options: ExportOptions

    @property
    def key(self) -> str:
        """Where it is in the storage, once it is made."""
        return export_key(self.model_id, self.name)


@dataclass(frozen=True)
class _Running:
    owner: str
    future: Future[None]


class Exports:
    """Makes exports and stores them; one that is being made is made once, whoever asks for it."""

    def __init__(self, settings: Settings, database: Database, storage: Storage) -> None:
        self._settings = settings
        self._database = database
        self._storage = storage
        self._threads = TurnThreads(1, "exports")
        self._running: dict[str, _Running] = {}
        self._lock = threading.RLock()

    def make(self, wanted: ExportWanted) -> "Future[None]":
        """Begin to make an export, or join those who wait for it.

        Returns:
            What ends with the export, or raises a `PoufError`. Whoever sees it raise calls `forget`.

        Raises:
            ApiError: as `require_turn`.
        """
        with self._lock:
            running = self._running.get(wanted.key)
            if running is not None:
                return running.future
            waiting = Counter(each.owner for each in self._running.values() if not each.future.done())
            require_turn(waiting, wanted.owner, MOST_WAITING, "exports are being made", RETRY_SECONDS)
            future = self._threads.submit(wanted.owner, lambda: self._make(wanted))
            self._running[wanted.key] = _Running(wanted.owner, future)
            future.add_done_callback(lambda ended: self._forget_made(wanted.key, ended))
            return future

    def forget(self, key: str) -> None:
        """Let an export that failed be tried anew by the next who asks; until somebody has seen why, it is not."""
        with self._lock:
            running = self._running.get(key)
            if running is not None and running.future.done():
                del self._running[key]

    def _forget_made(self, key: str, ended: "Future[None]") -> None:
        if not ended.cancelled() and ended.exception() is None:
            self.forget(key)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    def _make(self, wanted: ExportWanted) -> None:
        folder = self._settings.staging_dir / new_id("exp")
        folder.mkdir(parents=True)
        try:
            with self._storage.in_use(wanted.artifact):
                task = ExportTask(
                    artifact=self._local_artifact(wanted),
                    target=folder / "export",
                    options=wanted.options,
                    threads=self._settings.threads,
                    memory_bytes=self._settings.job_memory_bytes,
                )
                export_apart(task)
            card = (task.target / EXPORT_CARD).rename(folder / EXPORT_CARD)
            self._storage.put_directory(wanted.key, task.target)
            self._storage.put_file(f"{wanted.key}/{EXPORT_CARD}", card)  # last: with it the export counts as made
            count_exports(self._database, self._storage, wanted.model_id)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _local_artifact(self, wanted: ExportWanted) -> Path:
        try:
            return self._storage.local_directory(wanted.artifact)
        except FileNotFoundError as error:
            message = f"The artifact of model {wanted.model_id} is not in the storage."
            raise PoufError("artifact_missing", message) from error
