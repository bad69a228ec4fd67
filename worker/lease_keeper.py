"""Keeping a lease alive as long as its holder makes progress."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic

from sqlalchemy.exc import DBAPIError

from store.clock import utcnow
from store.database import Database
from store.leases import Lease, LeaseLost, Row, renew
from store.settings import Settings

logger = logging.getLogger(__name__)


class LeaseKeeper(Generic[Row]):
    """Renews a lease; raises `LeaseLost` once it was revoked, or expired while the database was not reachable."""

    def __init__(self, database: Database, lease: Lease[Row], settings: Settings) -> None:
        self._database = database
        self._lease: Lease[Row] = lease
        self._seconds = settings.lease_seconds
        self._every = settings.lease_renew_seconds
        self._renewed_at = time.monotonic()

    def renew_if_due(self) -> None:
        asked_at = time.monotonic()
        if asked_at - self._renewed_at < self._every:
            return
        try:
            with self._database.write() as session:
                renew(session, self._lease, utcnow(), self._seconds)
        except DBAPIError:
            self.tolerate_outage()
        else:
            self._renewed_at = asked_at

    def tolerate_outage(self) -> None:
        """For exception handlers: an unreachable database is tolerated until the lease may have expired."""
        if time.monotonic() - self._renewed_at >= self._seconds:
            raise LeaseLost(self._lease.row_id)
        logger.warning("The database is not reachable; the job goes on while its lease lasts.", exc_info=True)

    @contextmanager
    def in_background(self, limit: float) -> Iterator[None]:
        """Renew while the block copies files, which reports no progress, for at most `limit` seconds."""
        done = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(done, limit), name="lease-keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _renew_until(self, done: threading.Event, limit: float) -> None:
        give_up_at = time.monotonic() + limit
        while time.monotonic() < give_up_at and not done.wait(self._every / 2):
            try:
                self.renew_if_due()
            except LeaseLost:
                logger.warning("The lease of %s was lost while files were copied.", self._lease.row_id)
                return  # the next write under the fence says so to the holder
