"""Housekeeping, once an hour: files that nothing refers to any more are removed."""

from __future__ import annotations

import logging
import threading
import time

from store.database import Database
from store.orphans import OrphanCollector, remove_abandoned_staging
from store.settings import Settings
from store.storage import Storage
from worker.training.stored_checkpoints import remove_left_behind

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


class Housekeeper:
    """Removes orphans from the storage and from this machine's copies of a remote one, and abandoned uploads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        cache = settings.cache_dir
        storage = Storage.of(settings)
        self._age_seconds = 3600 * settings.orphan_age_hours
        self._database, self._storage = database, storage
        self._staging = settings.staging_dir
        self._collectors = [OrphanCollector(database, storage)]
        if storage.local_root is None:
            self._collectors.append(OrphanCollector(database, Storage(f"file://{cache}")))

    def tidy(self) -> None:
        """Do one round."""
        before = time.time() - self._age_seconds
        remove_abandoned_staging(self._staging, before)
        remove_left_behind(self._database, self._storage)
        for collector in self._collectors:
            if orphans := collector.collect(before):
                size = sum(file.size for file in orphans)
                logger.warning("Removed %s files (%s bytes) that nothing refers to.", len(orphans), f"{size:,}")

    def run(self, stopped: threading.Event) -> None:
        """Do a round now and one an hour until told to stop."""
        while not stopped.is_set():
            try:
                self.tidy()
            except Exception:  # each remote storage has errors of its own
                logger.exception("A round of housekeeping failed; the next one tries again.")
            stopped.wait(EVERY_SECONDS)
