"""Watching one child until it has an outcome: reports, lease, requests to stop, stalls."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from pouf_core.contract.progress import Progress
from store.database import Database
from store.leases import Lease, LeaseLost, Row
from store.outages import is_outage
from store.settings import Settings
from worker.lease_keeper import LeaseKeeper
from worker.training.messages import (
    ErrorMessage,
    PostponedMessage,
    PredictedMessage,
    ProgressMessage,
    ResultMessage,
    StoppedMessage,
)
from worker.training.process import ChildProcess, describe_exit

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.2
FLUSH_SECONDS = 0.5
POLL_SECONDS = 1.0
EXIT_SECONDS = 10.0

#: The reason given to the child for each status that somebody asked for.
STOP_REASONS = {"cancelling": "cancelled", "pausing": "paused"}


@dataclass(frozen=True)
class Lost:
    """The attempt died without an outcome of its own."""

    reason: str


AttemptOutcome = ResultMessage | PredictedMessage | ErrorMessage | StoppedMessage | PostponedMessage | Lost


class Notes(Protocol):
    """What a child reports, until it is written into the database."""

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        ...

    def note(self, message: Progress) -> None:
        """Keep a report for the next flush."""
        ...

    def flush(self) -> None:
        """Write everything; raises `LeaseLost`."""
        ...


class Supervision(Generic[Row]):
    """One attempt from the start of its child to its outcome.

    A child that makes no progress is killed: it has to finish a micro-batch within `progress_timeout`, and to load its
    base model within `load_timeout`. The lease is renewed meanwhile, by `keeper`.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        lease: Lease[Row],
        keeper: LeaseKeeper[Row],
        child: ChildProcess,
        journal: Notes,
        shutdown_requested: Callable[[], bool],
        seconds_left: float = math.inf,
    ) -> None:
        self._database = database
        self._settings = settings
        self._lease: Lease[Row] = lease
        self._child = child
        self._shutdown_requested = shutdown_requested
        self._journal = journal
        self._keeper: LeaseKeeper[Row] = keeper
        self._progress_at = time.monotonic()
        self._loading = True
        self._flushed_at = self._polled_at = float("-inf")
        self._ends_at = self._progress_at + seconds_left
        self._stop_reason: str | None = None
        self._stop_at = 0.0

    def run(self) -> AttemptOutcome:
        """Watch until the end; raises `LeaseLost`."""
        while True:
            outcome = self._read()
            if outcome is None and self._child.ended:
                outcome = self._without_outcome()
            if outcome is not None:
                return outcome
            self._keeper.check()
            self._flush_if_due()
            self._stop_if_asked()
            ended = self._stalled() or self._out_of_time()
            if ended is not None:
                return ended

    def _read(self) -> AttemptOutcome | None:
        for message in self._child.read(TICK_SECONDS):
            if not isinstance(message, ProgressMessage):
                return message
            self._progress_at = time.monotonic()
            self._loading = message.progress.stage == "loading_base"
            self._journal.note(message.progress)
        return None

    def _without_outcome(self) -> AttemptOutcome:
        self._child.wait(EXIT_SECONDS)
        status = self._child.close()
        if self._stop_reason is not None:
            return StoppedMessage(reason=self._stop_reason)  # it did not stop in time and was made to
        ended = describe_exit(status)
        logger.warning("%s: %s. The end of its log:\n%s", self._lease.row_id, ended, self._child.log_tail())
        return Lost(f"{ended}; the worker's log has details")

    def _flush_if_due(self) -> None:
        now = time.monotonic()
        if not self._journal.pending or now - self._flushed_at < FLUSH_SECONDS:
            return
        self._flushed_at = now
        try:
            self._journal.flush()
        except DBAPIError as error:
            self._tolerate(error)

    def _stop_if_asked(self) -> None:
        if self._stop_reason is not None:
            # While the base model loads there is neither a step boundary nor anything to keep.
            grace = 0.0 if self._loading else self._settings.cancel_grace_seconds
            if time.monotonic() - self._stop_at >= grace:
                self._child.terminate()
            return
        self._stop_reason = "shutdown" if self._shutdown_requested() else self._reason_from_database()
        if self._stop_reason is not None:
            self._stop_at = time.monotonic()
            self._child.ask_to_stop(self._stop_reason)

    def _reason_from_database(self) -> str | None:
        now = time.monotonic()
        if now - self._polled_at < POLL_SECONDS:
            return None
        self._polled_at = now
        try:
            with self._database.read() as session:
                table = self._lease.table
                query = select(table.status).where(table.id == self._lease.row_id, table.fence == self._lease.fence)
                status = session.scalars(query).one_or_none()
        except DBAPIError as error:
            self._tolerate(error)
            return None
        if status is None:
            raise LeaseLost(self._lease.row_id)
        return STOP_REASONS.get(status)

    def _out_of_time(self) -> ErrorMessage | None:
        if self._stop_reason is not None or time.monotonic() < self._ends_at:
            return None
        limit = self._settings.job_max_seconds
        message = f"The job has run for {limit:,.0f} seconds, as long as the operator allows. Use fewer items or steps."
        return ErrorMessage(code="job_time_limit", message=message)

    def _tolerate(self, error: DBAPIError) -> None:
        if not is_outage(error):
            raise error
        logger.warning("The database is not reachable; %s goes on: %s", self._lease.row_id, error)

    def _stalled(self) -> Lost | None:
        limit = self._settings.load_timeout if self._loading else self._settings.progress_timeout
        if self._stop_reason is not None or time.monotonic() - self._progress_at < limit:
            return None
        doing = "loading the base model" if self._loading else "training"
        return Lost(f"stalled: no progress in {doing} for {limit:g} seconds")
