"""Exports of models, made one at a time in processes of their own; owners take turns."""

import shutil
import threading
from concurrent.futures import Future

from app.serving.turns import TurnThreads
from pouf_core.contract.exports import EXPORT_CARD, ExportOptions, ExportTask
from pouf_core.exports.exporting import export_apart
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage


class Exports:
    """Makes exports and stores them; one that is being made is made once, whoever asks for it."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._threads = TurnThreads(1, "exports")
        self._running: dict[str, Future[None]] = {}
        self._lock = threading.RLock()

    def make(self, owner: str, key: str, artifact: str, options: ExportOptions) -> "Future[None]":
        """Begin to make an export, or join those who wait for it.

        Args:
            owner: who asks.
            key: of the storage, where it is to be.
            artifact: the key of the model.
            options: what it is to be.

        Returns:
            What ends with the export, or raises a `PoufError`. Whoever sees it raise calls `forget`.
        """
        with self._lock:
            future = self._running.get(key)
            if future is None:
                future = self._threads.submit(owner, lambda: self._make(key, artifact, options))
                self._running[key] = future
                future.add_done_callback(lambda ended: self._forget_made(key, ended))
            return future

    def forget(self, key: str) -> None:
        """Let an export that failed be tried anew by the next who asks; until somebody has seen why, it is not."""
        with self._lock:
            future = self._running.get(key)
            if future is not None and future.done():
                del self._running[key]

    def _forget_made(self, key: str, ended: "Future[None]") -> None:
        if not ended.cancelled() and ended.exception() is None:
            self.forget(key)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    def _make(self, key: str, artifact: str, options: ExportOptions) -> None:
        folder = self._settings.staging_dir / new_id("exp")
        folder.mkdir(parents=True)
        try:
            with self._storage.in_use(artifact):
                task = ExportTask(
                    artifact=self._storage.local_directory(artifact),
                    target=folder / "export",
                    options=options,
                    threads=self._settings.threads,
                    memory_bytes=self._settings.job_memory_bytes,
                )
                export_apart(task)
            card = (task.target / EXPORT_CARD).rename(folder / EXPORT_CARD)
            self._storage.put_directory(key, task.target)
            self._storage.put_file(f"{key}/{EXPORT_CARD}", card)  # last: with it the export counts as made
        finally:
            shutil.rmtree(folder, ignore_errors=True)
