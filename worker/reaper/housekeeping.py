"""Housekeeping, once an hour: files that nothing refers to any more are removed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from store import job_counts
from store.clock import utcnow
from store.database import Database
from store.observations import sum_up
from store.orphans import OrphanCollector, remove_abandoned_staging
from store.reserve import keep_reserve
from store.retention import prune
from store.settings import Settings
from store.storage import Storage
from worker.training.stored_checkpoints import remove_left_behind

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
DAY_SECONDS = 86_400


class Housekeeper:
    """Removes orphans from the storage and from this machine's copies of a remote one, abandoned uploads, and what is
    too old.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        cache = settings.cache_dir
        storage = Storage.of(settings)
        self._settings, self._database, self._storage = settings, database, storage
        self._age_seconds = 3600 * settings.orphan_age_hours
        self._staging = settings.staging_dir
        self._collectors = [OrphanCollector(database, storage)]
        if storage.local_root is None:
            self._collectors.append(OrphanCollector(database, Storage(f"file://{cache}")))

    def tidy(self) -> None:
        """Do one round: what one step cannot do keeps none of the others from being done."""
        now = time.time()
        before = now - self._age_seconds
        logs_before = now - DAY_SECONDS * self._settings.keep_logs_days
        steps: list[Callable[[], object]] = [
            partial(job_counts.correct, self._database),
            partial(remove_abandoned_staging, self._staging, before),
            partial(remove_left_behind, self._database, self._storage),
            partial(_remove_logs, self._settings.log_dir, logs_before),
            self._sum_up,
            self._prune,
            *(partial(_remove_orphans, collector, before) for collector in self._collectors),
            partial(keep_reserve, self._database),
        ]
        for step in steps:
            try:
                step()
            except Exception:  # each remote storage has errors of its own
                logger.exception("A step of housekeeping failed; the next round tries again.")

    def _sum_up(self) -> None:
        with self._database.write() as session:
            sum_up(session)

    def _prune(self) -> None:
        removed = prune(self._database, self._storage, self._settings, utcnow())
        if any(removed.values()):
            found = ", ".join(f"{count:,} {what}" for what, count in removed.items() if count)
            logger.info("Removed what was too old: %s.", found)

    def run(self, stopped: threading.Event) -> None:
        """Do a round now and one an hour until told to stop."""
        while not stopped.is_set():
            self.tidy()
            stopped.wait(EVERY_SECONDS)


def _remove_orphans(collector: OrphanCollector, before: float) -> None:
    """Remove the files of one storage that nothing refers to and that are older than a time, in seconds since 1970."""
    if orphans := collector.collect(before):
        size = sum(file.size for file in orphans)
        logger.warning("Removed %s files (%s bytes) that nothing refers to.", len(orphans), f"{size:,}")


def _remove_logs(directory: Path, before: float) -> None:
    """Remove the logs of jobs and batch predictions that were last written before a time, in seconds since 1970."""
    for path in (*directory.glob("job_*.log"), *directory.glob("bat_*.log")):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
