"""What attempts at jobs and at batch predictions share: one lease, kept; patience in outages; errors of this host."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ClassVar, Generic

from sqlalchemy.orm import Session

from store.disk import is_disk_full
from store.leases import Lease, Row, fenced
from store.outages import is_outage, patiently
from store.storage import NotStored
from worker.lease_keeper import LeaseKeeper
from worker.process_context import WorkerContext
from worker.shutdown import ShuttingDown
from worker.training.messages import ErrorMessage, PostponedMessage, StoppedMessage
from worker.training.process import ChildProcess
from worker.training.supervision import AttemptOutcome, Lost, Notes, Supervision
from worker.training.warm_start import WarmStart

logger = logging.getLogger(__name__)


class AttemptRun(Generic[Row]):
    """One attempt under one lease."""

    #: What a log calls the row.
    noun: ClassVar[str]

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease[Row],
        shutdown_requested: Callable[[], bool],
        warm_start: WarmStart | None,
    ) -> None:
        self._context = context
        self._lease: Lease[Row] = lease
        self._shutdown_requested = shutdown_requested
        self._warm_start = warm_start
        self._keeper: LeaseKeeper[Row] = LeaseKeeper(context.database, lease, context.settings)
        self._storage = context.storage.patient(self._check)

    def _outcome_of(self, work: Callable[[], AttemptOutcome]) -> AttemptOutcome:
        """What the work comes to, whatever this host lacks."""
        try:
            return work()
        except ShuttingDown:
            return StoppedMessage(reason="shutdown")
        except NotStored as error:
            logger.error("%s %s misses a file.", self.noun, self._lease.row_id, exc_info=error)
            message = f"{error} is gone from the storage. Restore it from a backup, or make what it belongs to anew."
            return ErrorMessage(code="stored_file_missing", message=message)
        except OSError as error:  # a full disk, an unreachable storage, no process to be had
            return self._unable(error)

    def _unable(self, error: OSError) -> AttemptOutcome:
        logger.error("%s %s could not be run here.", self.noun, self._lease.row_id, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        if is_disk_full(error):
            return PostponedMessage(reason=reason)
        if is_outage(error):  # such as a directory that may only be read, or no process or open file to be had
            return PostponedMessage(reason=reason, lack="machine_unavailable")
        return Lost(reason)

    def _check(self) -> None:
        """Called while files are fetched, and while an outage lasts."""
        self._keeper.check()
        if self._shutdown_requested():
            raise ShuttingDown

    def _copying(self) -> AbstractContextManager[None]:
        """Around what copies files, which reports no progress."""
        return self._keeper.long_step(self._context.settings.load_timeout)

    def _supervision(self, child: ChildProcess, journal: Notes, seconds_left: float) -> Supervision[Row]:
        """What watches a child that may run for so long."""
        context = self._context
        return Supervision(
            context.database,
            context.settings,
            self._lease,
            self._keeper,
            child,
            journal,
            self._shutdown_requested,
            seconds_left,
        )

    def _end(self, ending: Callable[[Session, Row], object]) -> None:
        """Change the row under the fence."""

        def end() -> None:
            with self._context.database.write() as session:
                ending(session, fenced(session, self._lease))

        self._persist(end)

    def _persist(self, write: Callable[[], object]) -> None:
        patiently(write, self._keeper.check)
