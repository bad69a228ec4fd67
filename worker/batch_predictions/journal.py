"""Writes how far a batch prediction is into the database, under the fence."""

from __future__ import annotations

from pouf_core.contract.progress import Progress
from store.clock import utcnow
from store.database import Database
from store.leases import Lease, fenced
from store.tables import BatchPrediction
from worker.batch_predictions.attempts import note_progress


class Journal:
    """The newest report of one attempt, until it is written."""

    def __init__(self, database: Database, lease: Lease[BatchPrediction]) -> None:
        self._database = database
        self._lease = lease
        self._latest: Progress | None = None
        self._durable = 0

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return self._latest is not None

    def note(self, message: Progress) -> None:
        """Keep a report for the next flush."""
        if message.stage == "encoding":
            self._latest = message
            self._durable = message.checkpoint_step or self._durable

    def flush(self) -> None:
        """Write it; raises `LeaseLost`."""
        if self._latest is None:
            return
        with self._database.write() as session:
            batch = fenced(session, self._lease)
            note_progress(batch, self._latest.step, self._durable)
            batch.updated_at = utcnow()
        self._latest = None
