"""Keeping a lease alive by a heartbeat of its own, for as long as its holder makes progress."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Self

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database
from store.leases import Lease, LeaseLost, Row, database_now, renew
from store.settings import Settings

logger = logging.getLogger(__name__)

#: Seconds between two looks at whether the lease was taken away, as it is when its row is deleted.
LOOK_SECONDS = 1.0
JOIN_SECONDS = 5.0


class LeaseKeeper(Generic[Row]):
    """Renews a lease in a thread of its own while its holder works inside the `with` block.

    The holder calls `check` wherever it gets on. Without that for `progress_timeout` seconds it counts as stuck, and
    its lease is left to expire. An unreachable database ends nothing: nobody can take the lease over meanwhile, and
    whoever could has a higher fence by then.
    """

    def __init__(self, database: Database, lease: Lease[Row], settings: Settings) -> None:
        self._database = database
        self._lease: Lease[Row] = lease
        self._seconds = settings.lease_seconds
        self._every = settings.lease_renew_seconds
        self._limit = settings.progress_timeout
        self._renewed_at = self._progress_at = time.monotonic()
        self._lost = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(JOIN_SECONDS)  # a late renewal finds a released lease, and does nothing

    def check(self) -> None:
        """Note progress; raises `LeaseLost` once the lease is known to be somebody else's, or nobody's."""
        self._progress_at = time.monotonic()
        if self._lost:
            raise LeaseLost(self._lease.row_id)

    @contextmanager
    def long_step(self, seconds: float) -> Iterator[None]:
        """Let the block, which does one thing that reports no progress, take so many seconds."""
        usual, self._limit = self._limit, max(seconds, self._limit)
        try:
            yield
        finally:
            self._progress_at = time.monotonic()
            self._limit = usual

    def _run(self) -> None:
        while not self._done.wait(min(LOOK_SECONDS, self._every / 2)):
            if time.monotonic() - self._progress_at >= self._limit:
                logger.error("%s got on with nothing for %g s; its lease ends.", self._lease.row_id, self._limit)
                return
            try:
                self._renew_or_look()
            except LeaseLost:
                self._lost = True
                return
            except SQLAlchemyError as error:
                logger.warning("The lease of %s could not be renewed: %s", self._lease.row_id, error)

    def _renew_or_look(self) -> None:
        asked_at = time.monotonic()
        if asked_at - self._renewed_at >= self._every:
            with self._database.write() as session:
                renew(session, self._lease, database_now(session), self._seconds)
            self._renewed_at = asked_at
            return
        table = self._lease.table
        with self._database.read() as session:
            held = select(table.id).where(
                table.id == self._lease.row_id,
                table.fence == self._lease.fence,
                table.lease_owner == self._lease.owner,
            )
            if session.scalars(held).one_or_none() is None:
                raise LeaseLost(self._lease.row_id)
